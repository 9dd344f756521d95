"""Thin wrappers around the kernel and the terminal."""
