"""A plain model of the protocol, written from docs/PROTOCOL.md alone.

It shares no code with the program nor with the rules of the SDK, and prefers being obvious to being
fast. Sections named in its files are those of the page. `Model` is what tests drive.
"""

from support.model.machine import Model
from support.model.record import Commitment
from support.model.state import State
from support.model.words import Moment, Refused

__all__ = ["Commitment", "Model", "Moment", "Refused", "State"]
