"""The engine of Docker Swarm: a service for each process type, with its tasks on several nodes."""
