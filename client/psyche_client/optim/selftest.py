"""Refuses to train on a machine whose arithmetic is not the agreed one.

Run `check` once at start-up, on the threads and the device that will train. It computes inverse
transforms of fixed votes by the very code that `aggregate` and `update` use, the extension's
included, and compares their sums, all bits of them, with sums of whole numbers, and those with
committed hashes.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from psyche_client.optim import native
from psyche_client.optim.errors import ExactnessError
from psyche_client.optim.table import BASIS
from psyche_client.optim.transform import Transform

#: (block rows, block columns, largest vote): sha256 of the sums as int64, little-endian. The
#: last ones have votes whose first half float32 could not hold.
GOLDEN = {
    (64, 64, 1): "7c8ebad8618915499fbb3819b1cfc2c8bcb4e890b8432bcce1ac1e99bb5e8932",
    (64, 64, 64): "841eeccc88b6f7de8b2ffd29745d774673439484946f7b4e178bdad693d06c29",
    (40, 48, 1): "bfb3681664c425506f1c50e4cdbdc5cb51ff444205a7763ece80892adee1113c",
    (33, 63, 2): "46ed06b52bace6e1a5114727bd83449749de88bf253dead14e35a2004c03dc5c",
    (1, 64, 1): "9b9f60a8dfc9364b5e108130b029a8dd66250d8804c3f3dec3808d5a931d1c0a",
    (1, 40, 16): "2ccd172fdfd2fd1c2611a687acbe67baef5896744093ac98dad54512e3697c5c",
    (64, 1, 1): "4df0fa651fc9be3953c1c1001f89f1152b1c024f8332d7d3df1e3419c0e2d877",
    (64, 64, 1024): "183def9e5edbf29d9567069e59e1eb5c46a1c3d892014d5cad7ac07fcbe5c8e4",
    (64, 64, 4096): "b7072181d35603198e903ad5a7b097e479b12cb1aa664e0366c8114fb64e80e3",
}
_BLOCKS = 48


def golden_votes(rows: int, columns: int, peak: int) -> NDArray[np.int64]:
    """Fixed votes [48 blocks, rows, columns]: a third zero, the rest from -peak to peak."""
    numbers = np.arange(_BLOCKS * rows * columns, dtype=np.uint64) + np.uint64(rows * 65 + columns)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    votes = (numbers >> np.uint64(33)).astype(np.int64) % (2 * peak + 1) - peak
    votes[numbers % np.uint64(3) == 0] = 0
    return votes.reshape(_BLOCKS, rows, columns)


def golden_sums(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inverse transform in whole numbers alone."""
    _, rows, columns = votes.shape
    sums = votes @ BASIS[columns].astype(np.int64)
    return BASIS[rows].astype(np.int64).T @ sums if rows > 1 else sums


def digest(sums: NDArray[np.int64]) -> str:
    """sha256 of the sums, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(sums, dtype="<i8").tobytes()).hexdigest()


def check(device: torch.device | None = None) -> None:
    """Compares the exact inverse transform here with the golden sums.

    Args:
        device: where parameters are moved, the CPU by default. A GPU's library may make float64 of
            shorter numbers where its settings say so; that is found here and nowhere else.

    Raises:
        ExactnessError: any bit differs. Do not train on this machine with these settings.
    """
    device = device or torch.device("cpu")
    for (rows, columns, peak), expected in GOLDEN.items():
        votes = golden_votes(rows, columns, peak)
        flat = torch.from_numpy(votes.reshape(-1)).to(device, torch.float32)
        sums = Transform(rows, columns, device).inverse_sums(flat, peak).cpu().numpy()
        whole = sums.astype(np.int64)
        if not np.array_equal(whole, sums) or digest(whole) != expected:
            raise ExactnessError(
                f"the exact inverse transform of {rows} x {columns} blocks differs here: "
                "check the BLAS library, matmul precision settings and emulated float64"
            )
        _check_signs(votes, peak, device)
        if rows == columns:
            # Sums that are zero on the diagonals, where float32's are not.
            _check_signs(votes - votes.transpose(0, 2, 1), 2 * peak, device)


def _check_signs(votes: NDArray[np.int64], peak: int, device: torch.device) -> None:
    _, rows, columns = votes.shape
    flat = torch.from_numpy(votes.reshape(-1)).to(device, torch.float32)
    mass, spare = int(np.abs(votes).sum((1, 2)).max()), torch.empty(2, len(flat), device=device)
    signs = Transform(rows, columns, device).inverse_signs(flat, peak, mass, spare)
    expected = np.sign(golden_sums(votes).reshape(-1))
    if not np.array_equal(signs.cpu().numpy(), expected):
        raise ExactnessError(
            f"signs of {rows} x {columns} blocks differ here: check the BLAS library and float32 "
            "matmul precision settings"
        )
    if native.TRANSFORM and not np.array_equal(_compiled_signs(native.TRANSFORM, votes), expected):
        raise ExactnessError(
            f"the extension psyche_codec finds other signs of {rows} x {columns} blocks: build it "
            "again by `make native`, or uninstall it"
        )


def _compiled_signs(module: Any, votes: NDArray[np.int64]) -> NDArray[np.int8]:
    _, rows, columns = votes.shape
    flat = votes.astype(np.int32).reshape(-1)
    return np.frombuffer(
        module.block_signs((rows, columns), BASIS[rows], BASIS[columns], flat), np.int8
    )
