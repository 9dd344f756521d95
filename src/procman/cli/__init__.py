"""The command line. Only this ring knows click, and only it turns exceptions into exit codes."""
