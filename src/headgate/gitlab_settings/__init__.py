"""GitLab's settings for each set-up: one list, for people's steps and for the API."""
