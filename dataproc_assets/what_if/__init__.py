"""What a changed setting would give, from what is scored already, without a run."""
