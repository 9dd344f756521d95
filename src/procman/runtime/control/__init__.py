"""The control socket: its clients, and how a session answers them."""
