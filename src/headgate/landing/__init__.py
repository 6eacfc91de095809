"""Lands intents: applies them to the newest commit, hydrates, and pushes."""
