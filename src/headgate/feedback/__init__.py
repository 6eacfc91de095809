"""What people are told on GitLab after a run: statuses, deployments, notes, the job's report."""
