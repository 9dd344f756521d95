"""What a Procfile, a formation and an environment ask for."""
