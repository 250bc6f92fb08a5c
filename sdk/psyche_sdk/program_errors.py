"""The errors of the coordinator program, one class each: subclasses of `ProgramError`.

`BY_CODE` has them by their number in the program; `ERRORS` has (name, message) by number.

Example:
    try:
        await coordinator.tick()
    except program_errors.TooEarly:
        pass  # nothing was due
"""

from psyche_sdk._generated.errors import *  # noqa: F403  (the generated names are the content)
from psyche_sdk._generated.errors import BY_CODE, ERRORS

__all__ = ["BY_CODE", "ERRORS", *sorted(cls.__name__ for cls in BY_CODE.values())]  # noqa: PLE0604  (strings, computed)
