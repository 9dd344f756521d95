"""Does: processes, descriptors, signals and files."""
