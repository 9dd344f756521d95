"""Small pure tools for text: lines, values, keys, suggestions, printable text."""
