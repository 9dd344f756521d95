"""procman: one Procfile, its process formation, run well."""

__version__ = "0.2.0"
