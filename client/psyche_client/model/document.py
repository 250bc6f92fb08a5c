"""`model.json`: the one document that says what a run trains, by whose sha256 the chain names it.

Canonical JSON: sorted keys, no spaces, ASCII. Two documents are equal if their bytes are.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from .config import KINDS, ModelConfig, refuse_unknown
from .errors import DocumentError, ModelError

VERSION: Final = 1
#: Peers send documents; none that we write comes near this.
DOCUMENT_BYTES_MAX: Final = 64 << 10
_DEPTH_MAX: Final = 16
_SOURCES_MAX: Final = 64
_WHOLE_MAX: Final = (1 << 63) - 1
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSection:
    """Which data a run trains on: `sequences` of `sequence_tokens`, under one Merkle root."""

    sequence_tokens: int
    sequences: int
    merkle_root: bytes
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDocument:
    """All that equal clients must agree on; `update_rule` and `schedule` are `optim`'s to read."""

    architecture: ModelConfig
    init_seed: bytes
    update_rule: Mapping[str, Any]
    schedule: Mapping[str, Any]
    tokenizer_sha256: bytes
    data: DataSection

    def encode(self) -> bytes:
        """The canonical bytes; DocumentError if a part has no JSON form or a wrong range."""
        body = {
            "architecture": {"kind": self.architecture.kind, **self.architecture.to_dict()},
            "data": {
                "merkle_root": self.data.merkle_root.hex(),
                "sequence_tokens": self.data.sequence_tokens,
                "sequences": self.data.sequences,
                "sources": list(self.data.sources),
            },
            "init_seed": self.init_seed.hex(),
            "schedule": dict(self.schedule),
            "tokenizer_sha256": self.tokenizer_sha256.hex(),
            "update_rule": dict(self.update_rule),
            "version": VERSION,
        }
        encoded = canonical(body)
        self.decode(encoded)
        return encoded

    def sha256(self) -> bytes:
        """The 32 bytes by which the chain names this document."""
        return hashlib.sha256(self.encode()).digest()

    @classmethod
    def decode(cls, data: bytes, *, sha256: bytes | None = None) -> Self:
        """Read hostile bytes; DocumentError unless canonical, complete and of that hash."""
        if len(data) > DOCUMENT_BYTES_MAX:
            raise DocumentError(f"a model.json of {len(data)} bytes is too long")
        if sha256 is not None and hashlib.sha256(data).digest() != sha256:
            raise DocumentError(
                "model.json has another sha256 than the run names",
                hint="fetch it from another peer",
            )
        body = _parse(data)
        names = {"architecture", "data", "init_seed", "schedule", "tokenizer_sha256"}
        _exact_keys(body, names | {"update_rule", "version"}, "model.json")
        if type(body["version"]) is not int or body["version"] != VERSION:
            raise DocumentError(f"model.json has version {body['version']!r}, not {VERSION}")
        return cls(
            architecture=_architecture(_table(body, "architecture")),
            init_seed=_hash(body, "init_seed"),
            update_rule=_table(body, "update_rule"),
            schedule=_table(body, "schedule"),
            tokenizer_sha256=_hash(body, "tokenizer_sha256"),
            data=_data(_table(body, "data")),
        )


def canonical(value: object) -> bytes:
    """Canonical JSON of `value`; DocumentError for what has none (NaN, infinity, odd types)."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError(f"this has no canonical JSON: {error}") from error
    return text.encode("ascii")


def _parse(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise DocumentError("model.json is not JSON in ASCII") from error
    if not isinstance(body, dict):
        raise DocumentError("model.json is not a table")
    _check_depth(body, _DEPTH_MAX)
    # Duplicate keys, spaces, NaN and other spellings of a number all end here.
    if canonical(body) != data:
        raise DocumentError("model.json is not in canonical form")
    return body


def _check_depth(value: object, left: int) -> None:
    if left == 0:
        raise DocumentError("model.json is nested too deeply")
    children = list(value.values()) if isinstance(value, dict) else value
    for child in children if isinstance(children, list) else ():
        _check_depth(child, left - 1)


def _exact_keys(body: Mapping[str, Any], names: set[str], where: str) -> None:
    try:
        refuse_unknown(body, names, where)
    except ModelError as error:
        raise DocumentError(str(error), hint=error.hint) from error
    missing = sorted(names - body.keys())
    if missing:
        raise DocumentError(f"{where} lacks {', '.join(missing)}")


def _table(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body[name]
    if not isinstance(value, dict):
        raise DocumentError(f"model.json: {name} is not a table")
    return value


def _hash(body: Mapping[str, Any], name: str) -> bytes:
    value = body[name]
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise DocumentError(f"model.json: {name} is not 64 hexadecimal digits")
    return bytes.fromhex(value)


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _WHOLE_MAX:
        raise DocumentError(f"model.json: {name} is not a positive whole number")
    return value


def _architecture(body: dict[str, Any]) -> ModelConfig:
    cls = KINDS.get(str(body.get("kind")))
    if cls is None:
        raise DocumentError(
            f"model.json: architecture {body.get('kind')!r} is unknown",
            hint=f"one of {', '.join(KINDS)}; a newer version may know it",
        )
    values = {name: value for name, value in body.items() if name != "kind"}
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise DocumentError(f"model.json: {name} is not finite")
    try:
        config = cls.from_dict(values)
    except ModelError as error:
        raise DocumentError(f"model.json: {error}", hint=error.hint) from error
    if canonical(config.to_dict()) != canonical(values):
        raise DocumentError("model.json: architecture does not name every field")
    return config


def _data(body: dict[str, Any]) -> DataSection:
    _exact_keys(body, {"merkle_root", "sequence_tokens", "sequences", "sources"}, "data")
    sources = body["sources"]
    if not isinstance(sources, list) or len(sources) > _SOURCES_MAX:
        raise DocumentError("model.json: data.sources is not a short list")
    if not all(isinstance(source, str) for source in sources):
        raise DocumentError("model.json: data.sources holds something that is no text")
    return DataSection(
        sequence_tokens=_whole(body, "sequence_tokens"),
        sequences=_whole(body, "sequences"),
        merkle_root=_hash(body, "merkle_root"),
        sources=tuple(sources),
    )
