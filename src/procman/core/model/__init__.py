"""The records that everything else uses: plan, policies, checks, statuses, settings."""
