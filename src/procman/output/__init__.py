"""Shows: bytes of children on the way to the reader."""
