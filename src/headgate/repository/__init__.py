"""Repositories: their files, commits, branches, and whose turn it is to push."""
