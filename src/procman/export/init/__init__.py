"""Formats of init systems and process supervisors."""
