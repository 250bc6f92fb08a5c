"""The first parameters: a function of a seed, equal in every bit on any hardware.

A value is a sum of twelve 16-bit integers, centred and scaled by one float32 multiplication, so
no library's sampler, no libm and no order of summation can make two machines differ. The sum's
standard deviation is sqrt(12 * (2^32 - 1) / 12), 65,536 to ten digits.
"""

import hashlib
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from .config import ModelConfig

SEED_BYTES: Final = 32
_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_ROUNDS: Final = 10
_LOW: Final = np.uint64(0xFFFFFFFF)
_SHIFT: Final = np.uint64(32)
_TERMS: Final = 12
#: Twice the mean of twelve 16-bit integers.
_CENTRE: Final = _TERMS * 0xFFFF
#: Values a chunk: 24 MiB of scratch. Even, so that chunks begin at a whole block of the generator.
_CHUNK: Final = 1 << 17


def initial_parameters(config: ModelConfig, seed: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """All parameters of `config` by name, drawn from the 32-byte `seed`.

    Norm weights are one. Matrices have mean 0 and standard deviation `initializer_range`; those
    that write into the residual stream are smaller by sqrt(2 * layers).
    """
    if len(seed) != SEED_BYTES:
        raise ValueError(f"an init seed has {SEED_BYTES} bytes, not {len(seed)}")
    into_stream = config.initializer_range / math.sqrt(2 * config.num_hidden_layers)
    parameters = {}
    for name, shape in config.parameter_shapes().items():
        if len(shape) == 1:
            parameters[name] = np.ones(shape, dtype=np.float32)
            continue
        residual = name.endswith(("o_proj.weight", "down_proj.weight"))
        deviation = into_stream if residual else config.initializer_range
        values = normal_like(seed, name, math.prod(shape), deviation)
        parameters[name] = values.reshape(shape)
    return parameters


def normal_like(seed: bytes, name: str, count: int, deviation: float) -> npt.NDArray[np.float32]:
    """`count` near-normal float32 of mean 0, from the stream that `seed` and `name` select."""
    key = hashlib.sha256(b"psyche-init" + seed + name.encode()).digest()
    # Halving is exact, so the centred integer is rounded once, by the multiplication.
    scale = np.float32(deviation) * np.float32(2.0**-17)
    values = np.empty(count, dtype=np.float32)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        first = start * _TERMS // 8
        words = philox(key, first, -(-size * _TERMS // 8)).reshape(-1)
        sums = words.view("<u2")[: size * _TERMS].reshape(size, _TERMS).sum(axis=1, dtype=np.int64)
        values[start : start + size] = (2 * sums - _CENTRE).astype(np.float32) * scale
    return values


def philox(key: bytes, first: int, blocks: int) -> npt.NDArray[np.uint32]:
    """Words of Philox4x32-10: `blocks` rows of four, from counter `first`, little-endian.

    Bytes 0..7 of `key` are the generator's key, bytes 8..15 the upper half of its counter.
    """
    k0, k1, c2, c3 = (int(word) for word in np.frombuffer(key[:16], dtype="<u4"))
    counters = np.arange(first, first + blocks, dtype=np.uint64)
    x0, x1 = counters & _LOW, counters >> _SHIFT
    x2, x3 = np.full(blocks, c2, dtype=np.uint64), np.full(blocks, c3, dtype=np.uint64)
    for _ in range(_ROUNDS):
        left, right = _MULTIPLIERS[0] * x0, _MULTIPLIERS[1] * x2
        x0 = (right >> _SHIFT) ^ x1 ^ np.uint64(k0)
        x1 = right & _LOW
        x2 = (left >> _SHIFT) ^ x3 ^ np.uint64(k1)
        x3 = left & _LOW
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack((x0, x1, x2, x3), axis=1).astype("<u4")
