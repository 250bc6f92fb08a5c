"""Psyche client: optim."""
