"""Formats of hosted platforms."""
