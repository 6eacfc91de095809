"""External charts and Kustomize bases of an app's own config, which a hand-off fetches."""
