"""Does what other terminals ask for: the control socket and its clients."""
