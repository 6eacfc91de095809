"""Feedback in GitLab after a run: statuses, deployments, environments, notes, the job's report."""
