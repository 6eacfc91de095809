"""Health: Flux's reports on what it applied, read from commit statuses or from the cluster."""
