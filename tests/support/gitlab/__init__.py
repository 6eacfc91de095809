"""A GitLab for tests: real git over HTTP, the REST calls that Headgate makes, and pipelines that really run."""

from support.gitlab.double import Double, serve_gitlab

__all__ = ["Double", "serve_gitlab"]
