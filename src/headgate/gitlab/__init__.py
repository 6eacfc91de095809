"""GitLab: its API, the senders of hand-offs, the users of pipelines, and the form's requests."""
