"""The state machine of one instance, and the supervisor of all of them."""
