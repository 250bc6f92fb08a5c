"""The Rust extension, `psyche_codec`, where it is installed: the same bodies, many times as fast.

`make native` builds it. Without it, or with one of another version, `body` serves for payloads and
`tiled` for the update. No torch here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from psyche_client.optim.errors import PayloadError, PayloadFault
from psyche_client.optim.form import Form, Selection

#: What `compiled` takes and gives changes with it.
TRANSFORM_VERSION = 1


def load(version: int) -> Any:
    """The module if it is there and reads and writes payloads of this version, else None."""
    try:
        module = import_module("psyche_codec")
    except ImportError:
        return None
    return module if version == module.VERSION else None


def load_transform() -> Any:
    """The module if it is there and its part for the update is of this version, else None."""
    try:
        module = import_module("psyche_codec")
    except ImportError:
        return None
    return module if getattr(module, "TRANSFORM_VERSION", 0) == TRANSFORM_VERSION else None


#: The module that `compiled` calls; None: torch serves.
TRANSFORM = load_transform()


def encode(module: Any, selection: Selection, form: Form) -> bytes:
    """The same as `body.encode`."""
    counts, indices = (
        np.ascontiguousarray(array, np.uint16) for array in (selection.counts, selection.indices)
    )
    values = np.ascontiguousarray(selection.values, np.int16)
    made: bytes = module.encode(_parts(form), counts, indices, values)
    return made


def decode(module: Any, body: bytes, form: Form, sent: int) -> Selection:
    """The same as `body.decode`."""
    try:
        counts, indices, values = module.decode(body, _parts(form), sent)
    except ValueError as error:
        raise PayloadError(PayloadFault(str(error)), "found by the Rust coder") from None
    return Selection(
        np.frombuffer(counts, np.uint16),
        np.frombuffer(indices, np.uint16),
        np.frombuffer(values, np.int16),
    )


def _parts(form: Form) -> tuple[int, int, int, int]:
    return form.coefficients, form.topk, form.most, form.value_bits
