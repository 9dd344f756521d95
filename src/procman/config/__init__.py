"""Reads what the user wrote: Procfile, env files, config files, overlay."""
