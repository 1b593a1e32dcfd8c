"""Shared helpers: test signals, small models, fake machines."""
