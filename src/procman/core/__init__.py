"""Decides: pure functions and records; no process, file or clock."""
