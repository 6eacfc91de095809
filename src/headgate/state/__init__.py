"""What runs, what waits, and what is not as it should be: for reading only."""
