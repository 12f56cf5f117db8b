"""Takedowns: what is asked, what it means, what was changed for it."""
