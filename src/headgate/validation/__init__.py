"""What an API server would say of final YAML: asked of the validator, weighed by rules, levels and waivers."""
