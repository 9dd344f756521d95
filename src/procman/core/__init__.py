"""Pure functions and records: they use no process, file or clock."""
