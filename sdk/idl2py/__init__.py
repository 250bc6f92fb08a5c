"""Generates a Python client from an Anchor IDL."""
