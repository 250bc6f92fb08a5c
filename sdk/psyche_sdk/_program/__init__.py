"""The compiled program and its interface, as data of the package."""
