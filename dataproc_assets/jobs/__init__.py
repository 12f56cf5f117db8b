"""What runs where the GPUs are: read, decode, models, write."""
