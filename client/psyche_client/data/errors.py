"""What can be wrong with training data."""


class DataError(ValueError):
    """Data is missing, damaged, or not what the run names. `hint` says what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep `message` as the error's text and `hint` beside it."""
        super().__init__(message)
        self.hint = hint


class ListenError(DataError):
    """Data cannot be served where it shall: the port is taken, or is no port of this machine."""
