"""Adapters: what each crawler delivers, read into common columns; nothing else knows its fields."""
