"""Generates a typed Python client from an Anchor IDL (specification 0.1.0, Anchor 0.30 and later).

`generate(idl)` returns the files of a package; `python -m idl2py IDL OUT_DIR` writes them. What it
cannot do it refuses with `UnsupportedIdlError`, naming the place in the IDL.
"""

from idl2py._generate import generate
from idl2py._model import IdlError, UnsupportedIdlError

__all__ = ["IdlError", "UnsupportedIdlError", "generate"]
