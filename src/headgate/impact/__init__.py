"""What the change of an object does when it is applied."""
