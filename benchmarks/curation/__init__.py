"""Curation of made posts: the data, and each side that makes prompts of them."""
