"""The code's version: a part of every asset's code version."""

__version__ = "0.1.0"
