"""The chain side of Psyche in Python: read, watch and act on runs."""
