"""Psyche client: verify."""
