"""From configuration, releases and values to final YAML and its changes."""
