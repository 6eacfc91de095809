"""What an API server would say of final YAML, by the validator's word, weighed by rules, levels and waivers."""
