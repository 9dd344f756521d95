"""The event loop and what it drives."""
