"""Psyche client: cli."""
