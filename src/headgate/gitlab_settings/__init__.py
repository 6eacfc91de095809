"""GitLab's settings for each set-up: one list, for the steps that people follow and for what is written by API."""
