"""Small pure tools for text: lines, values, suggestions, what may be printed."""
