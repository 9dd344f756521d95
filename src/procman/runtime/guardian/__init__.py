"""What makes sure that no process outlives procman, however it ends."""
