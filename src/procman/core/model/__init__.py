"""The records that everything else is about: plan, policy, checks, status, settings."""
