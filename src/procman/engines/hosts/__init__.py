"""systemd on machines that ssh reaches: an engine without a cluster, whose instances are placed by their numbers."""
