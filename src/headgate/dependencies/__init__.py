"""What an app's own config builds on elsewhere: charts and Kustomize bases, brought along with a hand-off."""
