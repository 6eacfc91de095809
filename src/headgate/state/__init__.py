"""What runs, what waits and what is wrong: read only."""
