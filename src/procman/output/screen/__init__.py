"""The terminal: its bottom lines, and the process that has it to itself."""
