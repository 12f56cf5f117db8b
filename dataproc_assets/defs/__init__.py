"""Dagster wiring, one module a group of assets, in flow order."""
