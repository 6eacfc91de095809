"""Kubernetes objects: read, checked, given their images, and written in one way."""
