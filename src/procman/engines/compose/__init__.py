"""The engine of one Docker daemon: Docker Compose, a service for each instance."""
