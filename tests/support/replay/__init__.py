"""A second implementation of what clients apply: numpy alone, written from the documents.

It shares no line with the client. Where both arrive at the same bits, the documents say enough
and the client does what they say.
"""

from .checks import Report, check_folder, digest
from .errors import ReplayError
from .folder import Folder, Round, read_folder, read_safetensors
from .payload import Expected, RefusedError, decode
from .run import Replayed, replay, replay_rounds
from .update import Layout, Rule, learning_rate

__all__ = [
    "Expected",
    "Folder",
    "Layout",
    "RefusedError",
    "ReplayError",
    "Replayed",
    "Report",
    "Round",
    "Rule",
    "check_folder",
    "decode",
    "digest",
    "learning_rate",
    "read_folder",
    "read_safetensors",
    "replay",
    "replay_rounds",
]
