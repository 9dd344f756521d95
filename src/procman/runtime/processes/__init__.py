"""Spawns, signals and reaps processes."""
