"""Makes sure that nothing outlives procman, however it ends."""
