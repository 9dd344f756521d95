"""The overlay, the tables [process.NAME]: how each process type runs."""
