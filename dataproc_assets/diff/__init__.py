"""What changed between two releases, and by what."""
