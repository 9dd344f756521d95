"""Keeps what processes write from damaging the screen."""
