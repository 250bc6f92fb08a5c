"""Psyche client: network."""
