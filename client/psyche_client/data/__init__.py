"""Psyche client: data."""
