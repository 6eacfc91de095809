"""A GitLab, whichever it is, by nothing but its API and git over HTTP: set up, used, looked at, left as it was."""
