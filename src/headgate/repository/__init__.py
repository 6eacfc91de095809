"""Git repositories: their files, commits, branches and remotes."""
