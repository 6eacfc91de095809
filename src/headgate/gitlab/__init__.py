"""GitLab: its API, who sent a hand-off, who runs a pipeline, and the form's requests."""
