"""The model that a run trains: its form, its first parameters, their digest, and files of them."""
