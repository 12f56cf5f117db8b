"""Weights and forward passes: what a metric computes from a decoded picture."""
