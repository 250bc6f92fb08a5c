"""What can be wrong with a model, its parameters or a checkpoint.

ModelError(ValueError)
+-- ConfigError        an architecture that cannot be built
+-- DocumentError      bytes that are no valid `model.json`
+-- ManifestError      bytes that are no valid parameter manifest, or a piece that does not fit it
+-- CheckpointError    a checkpoint that cannot be written, read or trusted

Each carries `hint`: one sentence that says what to do, or an empty string.
"""


class ModelError(ValueError):
    """The family of all errors raised by `psyche_client.model`."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep `message` as the error's text and `hint` beside it."""
        super().__init__(message)
        self.hint = hint


class ConfigError(ModelError):
    """A model configuration is incomplete, has an unknown key, or contradicts itself."""


class DocumentError(ModelError):
    """Bytes are not a valid `model.json`. Do not train from them."""


class ManifestError(ModelError):
    """Bytes are not a valid manifest, or a piece differs from it. Ask another peer."""


class CheckpointError(ModelError):
    """A checkpoint could not be written, or what was read is not what was saved."""
