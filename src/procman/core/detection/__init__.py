"""Finds processes in the files of other tools, for a first Procfile."""
