"""From configuration, releases and values to final YAML, and what that changes."""
