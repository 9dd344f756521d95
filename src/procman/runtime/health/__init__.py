"""Readiness, health, file watching, and notices."""
