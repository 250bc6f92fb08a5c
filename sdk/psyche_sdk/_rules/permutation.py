"""The order of the data: a keyed permutation of a pass over the data set, for whole arrays."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from psyche_sdk._rules.hashing import sha256, u64

#: Positions and sequence ids.
Ids = npt.NDArray[np.uint64]

_MULTIPLY_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_SECOND = np.uint64(0x94D049BB133111EB)
_MIN_BITS = 16
#: Lengths below which the whole domain, 65,536 values, is tabled for walking.
_SMALL = 4096


def _mix(half: Ids, key: np.uint64) -> Ids:
    """The round function: the finaliser of splitmix64 over half + key, modulo 2^64."""
    word = half + key
    word = (word ^ (word >> np.uint64(30))) * _MULTIPLY_FIRST
    word = (word ^ (word >> np.uint64(27))) * _MULTIPLY_SECOND
    mixed: Ids = word ^ (word >> np.uint64(31))
    return mixed


class Permutation:
    """A bijection of 0..n for one pass over the data; nothing is materialised.

    A Feistel network of eight rounds over 2h bits with cycle walking: values from n on are mapped
    again.
    """

    def __init__(self, data_seed: bytes, pass_index: int, n: int) -> None:
        """The order of pass ``pass_index`` over ``n`` sequences (1 to 2^64 - 1)."""
        if not 0 < n < 2**64:
            raise ValueError("a data set has at least one sequence")
        key = sha256(data_seed, u64(pass_index))
        self._keys: Ids = np.frombuffer(key + sha256(key), "<u8")
        bits = max(_MIN_BITS, (n - 1).bit_length())
        half_bits = (bits + 1) // 2
        self._half_bits = np.uint64(half_bits)
        self._mask = np.uint64(2**half_bits - 1)
        self._n = np.uint64(n)
        self._small = n < _SMALL

    def sequence_ids(self, positions: npt.ArrayLike) -> Ids:
        """The sequences at these offsets of the pass, taken modulo n; same shape."""
        return self._walk(np.asarray(positions, np.uint64), self._encrypt)

    def positions(self, sequence_ids: npt.ArrayLike) -> Ids:
        """The offsets at which these sequences stand: the inverse of `sequence_ids`."""
        return self._walk(np.asarray(sequence_ids, np.uint64), self._decrypt)

    def _walk(self, values: Ids, once: Callable[[Ids], Ids]) -> Ids:
        # Arrays of one dimension: numpy warns when a lone number wraps, and wrapping is meant.
        out = once(values.reshape(-1) % self._n)
        if (out < self._n).all():
            return out.reshape(values.shape)
        if self._small:
            # Walks are long where few values count; then looking steps up is quicker.
            table = once(np.arange(2 ** (2 * int(self._half_bits)), dtype=np.uint64))
            once = table.__getitem__
        outside = np.flatnonzero(out >= self._n)
        while len(outside):
            out[outside] = once(out[outside])
            outside = outside[out[outside] >= self._n]
        return out.reshape(values.shape)

    def _encrypt(self, values: Ids) -> Ids:
        left, right = values >> self._half_bits, values & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mix(right, key) & self._mask)
        return (left << self._half_bits) | right

    def _decrypt(self, values: Ids) -> Ids:
        left, right = values >> self._half_bits, values & self._mask
        for key in self._keys[::-1]:
            left, right = right ^ (_mix(left, key) & self._mask), left
        return (left << self._half_bits) | right


def sequences_at(data_seed: bytes, n: int, positions: Ids) -> Ids:
    """The sequences at positions of an endless order: pass after pass over ``n``, each shuffled."""
    found = np.empty_like(positions)
    passes = positions // np.uint64(n)
    for index in np.unique(passes).tolist():
        here = passes == index
        found[here] = Permutation(data_seed, index, n).sequence_ids(positions[here] % np.uint64(n))
    return found
