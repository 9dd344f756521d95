"""The path of bytes from children to the reader."""
