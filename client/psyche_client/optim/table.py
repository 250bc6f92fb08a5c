"""The integer DCT basis that every client shares, bit for bit.

`BASIS[n]` is the orthonormal DCT-II of n points times 2^14, rounded to whole numbers:
row k, column i holds round(2^14 * s_k * cos(pi * (2 i + 1) * k / (2 n))) with s_0 = sqrt(1 / n)
and s_k = sqrt(2 / n). The numbers are committed in `dct2.bin` (int16, little-endian, n = 1..64
one after the other), so that no two machines' libm can disagree; importing this module checks
their hash.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from psyche_client.optim.errors import ExactnessError

#: Largest number of points along an edge of a transform block.
EDGE_MAX = 64
#: The basis is scaled by 2 to this power. 14: entries fit int16 and a transform's sums stay
#: far below 2^53, up to which float64 adds whole numbers exactly.
SCALE_BITS = 14
#: sha256 of `dct2.bin`; part of every layout digest.
TABLE_SHA256 = "573ac86696d6eb543d36d861ffc3de4765b5791752e81013ee38df1e28c5d6fc"


def _load() -> tuple[NDArray[np.int16], ...]:
    data = (Path(__file__).parent / "dct2.bin").read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != TABLE_SHA256:
        raise ExactnessError(f"the DCT table has sha256 {found}, expected {TABLE_SHA256}")
    flat = np.frombuffer(data, dtype="<i2").astype(np.int16)
    tables: list[NDArray[np.int16]] = [np.zeros((0, 0), np.int16)]
    start = 0
    for points in range(1, EDGE_MAX + 1):
        table = flat[start : start + points * points].reshape(points, points)
        table.flags.writeable = False
        tables.append(table)
        start += points * points
    return tuple(tables)


#: The basis of n points stands at index n; index 0 is empty.
BASIS = _load()
