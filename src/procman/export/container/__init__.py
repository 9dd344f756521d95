"""Formats of container engines and platforms."""
