"""What people wait for, as events for receivers outside of GitLab."""
