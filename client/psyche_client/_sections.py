"""Sections of a configuration file: frozen dataclasses whose fields know what they allow.

A field is made by `whole`, `real`, `choice`, `text` or `yes_no`; a section in a section is a field
whose `default_factory` is its class. `read` turns a parsed
TOML table into the dataclass, `write` turns it back into text. Both know nothing of what a section
is about.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")

KIND = "psyche.kind"
NUMBER_WITH_UNIT = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*$")
UNITS_OF_TIME = {1: ("s", "sec", "second"), 60: ("m", "min", "minute"), 3_600: ("h", "hour")}
SECONDS = {unit: factor for factor, units in UNITS_OF_TIME.items() for unit in units}


class ConfigError(ValueError):
    """A run's file cannot be used as it is.

    The message is one line that names the file and the key; `hint` says what to write instead
    (empty where there is nothing to add).
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `low` to `high`, both allowed, counted in `unit`."""

    low: int
    high: int
    unit: str

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high} ({self.unit})"

    def accept(self, value: object) -> int | None:
        """The value if it is allowed, else None."""
        good = isinstance(value, int) and not isinstance(value, bool)
        return value if good and self.low <= value <= self.high else None  # type: ignore[operator, return-value]  # checked by `good`


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number from `low` to `high`, both allowed."""

    low: float
    high: float
    unit: str

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g} ({self.unit})"

    def accept(self, value: object) -> float | None:
        """The value as a float if it is allowed, else None."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if math.isfinite(value) and self.low <= value <= self.high else None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(f'"{word}"' for word in self.words)

    def accept(self, value: object) -> str | None:
        """The value if it is one of the words, else None."""
        return value if isinstance(value, str) and value in self.words else None


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a pattern describes; `what` says the same in words."""

    pattern: str
    what: str

    def __str__(self) -> str:
        return self.what

    def accept(self, value: object) -> str | None:
        """The value if the whole of it fits the pattern, else None."""
        good = isinstance(value, str) and re.fullmatch(self.pattern, value) is not None
        return value if good else None  # type: ignore[return-value]  # checked by `good`


@dataclass(frozen=True, slots=True)
class YesNo:
    """True or false."""

    def __str__(self) -> str:
        return "true or false"

    def accept(self, value: object) -> bool | None:
        """The value if it is a boolean, else None."""
        return value if isinstance(value, bool) else None


def comment(kind: object) -> str:
    """What a key means and allows, for the line that it stands on."""
    match kind:
        case Whole():
            return f"{kind.unit}: {kind.low} to {kind.high}"
        case Real():
            return f"{kind.unit}: {kind.low:g} to {kind.high:g}"
        case _:
            return str(kind)


Kind = Whole | Real | Choice | Text | YesNo


def _make(kind: Kind, default: Any) -> Any:
    if default is None:
        return field(metadata={KIND: kind})
    return field(default=default, metadata={KIND: kind})


def whole(low: int, high: int, unit: str, default: int | None = None) -> Any:
    """A field for a whole number; without a default it must be given."""
    return _make(Whole(low, high, unit), default)


def real(low: float, high: float, unit: str, default: float | None = None) -> Any:
    """A field for a number; without a default it must be given."""
    return _make(Real(low, high, unit), default)


def choice(*words: str) -> Any:
    """A field for one of `words`; the first is the default."""
    return _make(Choice(words), words[0])


def text(pattern: str, what: str, default: str | None = None) -> Any:
    """A field for a text; without a default it must be given."""
    return _make(Text(pattern, what), default)


def yes_no(default: bool) -> Any:
    """A field that is true or false."""
    return _make(YesNo(), default)


def read(kind: type[T], table: Mapping[str, object], *, source: str, path: str = "") -> T:
    """Makes a section of a parsed table.

    Args:
        source: the file's name, for messages.
        path: the section's own name with a dot at its end, or empty for the whole file.

    Raises:
        ConfigError: an unknown or missing key, or a value that is not allowed.
    """
    members = {member.name: member for member in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in members:
            close = difflib.get_close_matches(key, members, n=1)
            hint = f"did you mean `{path}{close[0]}`?" if close else _all_keys(members)
            raise ConfigError(f"{source}: unknown key `{path}{key}`", hint)
        values[key] = _value(members[key], value, source=source, path=path + key)
    for name, member in members.items():
        if name in values or member.default is not MISSING:
            continue
        if _inner(member) is not None:  # left out: it may still lack a key that must be given
            values[name] = _value(member, {}, source=source, path=path + name)
            continue
        raise ConfigError(f"{source}: `{path}{name}` is missing", f"it is {member.metadata[KIND]}")
    return kind(**values)


def _inner(member: Field[Any]) -> Any:
    """The class of a section in a section; None for a plain key."""
    return None if member.default_factory is MISSING else member.default_factory


def _all_keys(members: Mapping[str, object]) -> str:
    return "known here: " + ", ".join(sorted(members))


def _value(member: Field[Any], value: object, *, source: str, path: str) -> Any:
    inner = _inner(member)
    if inner is not None:
        if not isinstance(value, Mapping):
            raise ConfigError(
                f"{source}: `{path}` is a section, not a value", f"write [{path}] above its keys"
            )
        return read(inner, value, source=source, path=path + ".")
    kind = member.metadata[KIND]
    accepted = kind.accept(value)
    if accepted is None:
        raise ConfigError(
            f"{source}: `{path}` must be {kind}; it is {_shown(value)}",
            _unit_hint(path, value, kind) or _word_hint(value, kind) or _default_hint(member, path),
        )
    return accepted


def _shown(value: object) -> str:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    shown = {"True": "true", "False": "false"}.get(shown, shown)
    return shown if len(shown) <= 40 else shown[:37] + "..."  # noqa: PLR2004 - fits a line


def _unit_hint(path: str, value: object, kind: Kind) -> str:
    """For a number written with its unit: how to write it here."""
    found = NUMBER_WITH_UNIT.match(value) if isinstance(value, str) else None
    if found is None or not isinstance(kind, Whole | Real):
        return ""
    name, unit = path.rpartition(".")[2], found[2].lower()
    factor = SECONDS.get(unit[:-1] if unit.endswith("s") and len(unit) > len("ms") else unit)
    if factor is None or not name.endswith("_seconds"):
        return f"the unit is in the name: write a bare number ({kind.unit})"
    return f"the unit is in the name: write `{name} = {round(float(found[1]) * factor)}`"


def _word_hint(value: object, kind: Kind) -> str:
    """For a word that is nearly one of those that are known."""
    words = kind.words if isinstance(kind, Choice) and isinstance(value, str) else ()
    close = difflib.get_close_matches(str(value), words, n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def _default_hint(member: Field[Any], path: str) -> str:
    """What is taken where the key is left out."""
    if member.default is MISSING:
        return f"write `{path}` with such a value: it has no default"
    return f"leave `{path}` out for its default, {_literal(member.default)}"


def write(value: object, path: str = "") -> str:
    """TOML text of a section, each key with what it allows; `read` of it gives an equal section."""
    plain, inner = [], []
    for member in fields(value):  # type: ignore[arg-type]  # a dataclass
        held = getattr(value, member.name)
        if is_dataclass(held):
            inner.append(write(held, f"{path}.{member.name}".lstrip(".")))
        else:
            plain.append(
                f"{f'{member.name} = {_literal(held)}':<40} # {comment(member.metadata[KIND])}"
            )
    head = [f"[{path}]"] if path and plain else []
    return "\n\n".join(["\n".join(head + plain)] * bool(plain) + inner)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
