"""procman's own sentences and records."""
