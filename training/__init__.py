"""How the weights of `dataproc_assets/models/weights` were made."""
