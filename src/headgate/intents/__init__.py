"""Intents: changes to releases. Each is resolved once, and applied to the newest commit until it lands."""
