"""Spawning, signalling and reaping processes."""
