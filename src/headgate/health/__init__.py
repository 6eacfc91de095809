"""Health: what Flux says of what it applied, read from commit statuses or from the cluster."""
