"""The protocol's rules in Python: the same numbers as the program, pinned by golden vectors."""
