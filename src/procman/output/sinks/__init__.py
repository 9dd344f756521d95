"""The places that lines go to: screen, JSON, log files, history."""
