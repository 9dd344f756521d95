"""The user's terminal while a session runs."""
