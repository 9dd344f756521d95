"""The server of the Model Context Protocol: tools for coding agents, each of which runs one of our commands."""
