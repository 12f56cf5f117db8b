"""What is checked of each asset, right after it was written."""
