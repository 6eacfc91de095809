"""What ran, what runs, and what differs: for reading only."""
