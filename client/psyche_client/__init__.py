"""The training client: trains, compresses, exchanges, witnesses, applies."""
