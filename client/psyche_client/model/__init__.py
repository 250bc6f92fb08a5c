"""Psyche client: model."""
