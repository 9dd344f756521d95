"""The machinery that runs a session: processes, descriptors, signals, clocks."""
