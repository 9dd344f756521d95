"""The engine that works through kubectl."""
