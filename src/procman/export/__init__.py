"""Writes: a plan in the language of another process manager; pure renderers."""
