"""GitLab: its API, who sent and who runs a pipeline, and what is asked for."""
