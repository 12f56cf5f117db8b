"""The groups of the `dataproc` command, one module each."""
