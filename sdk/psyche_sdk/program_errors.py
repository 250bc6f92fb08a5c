"""The errors of the coordinator program, one class each: subclasses of `ProgramError`.

`BY_CODE` has them by their number in the program; `ERRORS` has (name, message) by number.

Example:
    try:
        await coordinator.tick()
    except program_errors.TooEarly:
        pass  # nothing was due
"""

from psyche_sdk._generated import errors as _generated
from psyche_sdk._generated.errors import *  # noqa: F403  (the generated names are the content)

__all__ = _generated.__all__
