"""procman: one Procfile, its process formation, run well."""

__version__ = "0.1.0"
