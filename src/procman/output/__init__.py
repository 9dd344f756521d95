"""The way of bytes from children to the reader."""
