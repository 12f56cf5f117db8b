"""Releases: selection, tars, manifests, trainers' formats, latents."""
