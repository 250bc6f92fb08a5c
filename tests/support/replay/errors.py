"""What is wrong with a folder."""


class ReplayError(AssertionError):
    """The folder does not hold together, or does not lead to the bits that it claims."""


def demand(holds: bool, words: str) -> None:
    """Raises `ReplayError` with these words unless it holds."""
    if not holds:
        raise ReplayError(words)
