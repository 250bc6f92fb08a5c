"""What each argument of each instruction may be: values at its bounds, and one past them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from solders.pubkey import Pubkey

from psyche_sdk import program_errors as errors
from psyche_sdk._generated.pdas import run_address
from psyche_sdk.errors import ProgramError
from psyche_sdk.views import Phase
from support.actors import ALICE, CAROL, MALLORY
from support.instruction_table import CALLS, Call
from support.program import World, world_at

U16, U32, U64 = 2**16 - 1, 2**32 - 1, 2**64 - 1
I64 = 2**63 - 1
ZERO, ONES = bytes(32), b"\xff" * 32
NOBODY = Pubkey.default()
BOND = 2_000_000
#: Tested field by field in tests/program/test_configuration.py.
CONFIG = "config"


@dataclass(frozen=True)
class Later:
    """A value that follows from the run and from the valid one; None: there is none such here."""

    of: Callable[[World, Any], Any]


@dataclass(frozen=True)
class Bound:
    """Values that are taken, and values that are refused with an error, all else being valid."""

    taken: tuple[Any, ...] = ()
    refused: tuple[tuple[Any, type[ProgramError]], ...] = ()


def by(change: int) -> Later:
    """The valid value and so much, if that is no negative number."""
    return Later(lambda _, valid: valid + change if valid + change >= 0 else None)


def but(error: type[ProgramError], *values: Any) -> tuple[tuple[Any, type[ProgramError]], ...]:
    """These values are refused with one error."""
    return tuple((value, error) for value in values)


def only(error: type[ProgramError], *more: Any) -> Bound:
    """The valid number and no other; `more` are refused, too."""
    return Bound((by(0),), but(error, by(1), by(-1), *more))


def this(error: type[ProgramError]) -> Bound:
    """The valid hash and no other."""
    return Bound((Later(lambda _, valid: valid),), but(error, ZERO, ONES))


def text(longest: int, error: type[ProgramError]) -> Bound:
    """So many bytes, not characters, at most."""
    two = "\u00e9" * (longest // 2)
    return Bound(("", "a" * longest, two), but(error, "a" * (longest + 1), two + "a"))


def at_most(most: int, error: type[ProgramError], *, least: int = 0, top: int = U32) -> Bound:
    """Numbers from `least` to `most`."""
    under = (least - 1,) if least else ()
    return Bound((least, most), but(error, *under, most + 1, top))


ANY_U32 = Bound((0, 1, U32))
ANY_HASH = Bound((ZERO, ONES))
ANY_BOOL = Bound((False, True))
EPOCH = only(errors.WrongRound, U32)
#: The ring has four records: the round in the same place is another one.
ROUND = only(errors.WrongRound, by(4), U32)
SLOT = Bound(
    (by(0),),
    (
        *but(errors.NotYourSlot, Later(lambda world, _: world.member(CAROL).slot), 7),
        *but(errors.UnknownSlot, 8, U16),
    ),
)
HERE = {"epoch": EPOCH, "round": ROUND, "slot": SLOT}
ADVANCING = {**HERE, "transition": ANY_BOOL}
NODE = {
    "node_key": Bound((ONES,), but(errors.NodeKeyZero, ZERO)),
    "address": text(96, errors.AddressTooLong),
}
WEIGHT = at_most(1_000, errors.WeightOutOfRange, least=1, top=U16)
MODEL = {"model_hash": ANY_HASH, "model_uri": text(128, errors.ModelUriTooLong)}
NO_URI = ("a" * 97, "a b", "a\n", "a\0", "\x7f", "\u00e9", "\u20ac" * 32)
URI = Bound(("!", "~" * 96), but(errors.UriInvalid, "", *NO_URI))
DIGEST = Bound((ONES,), but(errors.DigestZero, ZERO))
OUT, FAIL, OTHER = errors.ScoreOutOfRange, errors.ScoresFail, errors.VerdictMismatch


def far(most: int) -> Bound:
    """A distance of a payload that passes."""
    return Bound((0, most), (*but(FAIL, most + 1, 1_000), *but(OUT, 1_001, U16)))


#: A verdict that passes, by the thresholds of `support.verifying`.
AUDIT = {
    **HERE,
    "verdict.target": only(errors.NotAVerifier, U16),
    "verdict.passes": ANY_BOOL,
    "verdict.jaccard_permille": Bound((900, 1_000), (*but(FAIL, 899, 0), *but(OUT, 1_001, U16))),
    "verdict.hamming_permille": far(100),
    "verdict.manhattan_permille": far(300),
    "verdict.alignment_permille": Bound(
        (500, 1_000), (*but(FAIL, 499, -1_000), *but(OUT, 1_001, -1_001, 2**15 - 1, -(2**15)))
    ),
    "verdict.detail": ANY_HASH,
}
#: Of one that was sealed: nothing of it can be said otherwise any more.
SAID = Bound((by(0),), (*but(OTHER, by(1), by(-1), 0, 1_000), *but(OUT, 1_001)))
OPENING = {
    **{path: SAID if path.endswith("permille") else bound for path, bound in AUDIT.items()},
    "verdict.passes": Bound((False,), but(FAIL, True)),
    "verdict.alignment_permille": Bound(
        (by(0),), (*but(OTHER, by(20), -1_000, 1_000), *but(OUT, 1_001, -1_001))
    ),
    "verdict.detail": this(OTHER),
    "salt": this(OTHER),
}
NEITHER_LETTER = ("A", "a_b", "a/", "a:", "`", "{", "a,", "a.", "a\0", "\u00e9")

BOUNDS: dict[str, dict[str, Bound]] = {
    "create_run": {
        "run_id": Bound(
            ("a", "z", "0", "9", "-", "z" * 32),
            but(errors.RunIdInvalid, "", "a" * 33, *NEITHER_LETTER),
        ),
        "capacity": Bound((8, 16, 1_024), but(errors.ConfigCapacity, 0, 7, 9, 1_032, U16)),
        CONFIG: Bound(),
        **MODEL,
        "join_authority": Bound((None, NOBODY, MALLORY.wallet)),
        "digest": DIGEST,
    },
    "update_config": {CONFIG: Bound(), "reset_positions": ANY_BOOL},
    "update_model": MODEL,
    "update_metadata": {"metadata": text(256, errors.MetadataTooLong)},
    "set_rates": dict.fromkeys(
        ("points_per_sequence", "points_per_attestation", "points_per_verdict"), ANY_U32
    ),
    "set_authority": {
        "proposed": Bound((NOBODY, MALLORY.wallet), but(errors.AuthorityUnchanged, ALICE.wallet)),
    },
    "set_join_authority": {"join_authority": Bound((None, NOBODY, ALICE.wallet))},
    "set_payee": {"payee": Bound((MALLORY.wallet,), but(errors.PayeeZero, NOBODY))},
    "set_checkpoint": {"digest": DIGEST, "uri": Bound(("", *URI.taken), URI.refused[1:])},
    "issue_pass": {
        "wallet": Bound((NOBODY, MALLORY.wallet)),
        "expiry": Bound(
            (Later(lambda world, _: world.moment.time + 1), I64),
            but(errors.PassExpiryPast, Later(lambda world, _: world.moment.time), 0, -I64 - 1),
        ),
    },
    "collect": {
        "slot": Bound(
            (0,),
            (
                *but(errors.NotTheHolder, 1),
                *but(errors.NothingToCollect, 7),
                *but(errors.UnknownSlot, 8, U16),
            ),
        )
    },
    "join": {
        "slot": Bound((0, 7), but(errors.UnknownSlot, 8, U16)),
        "weight": WEIGHT,
        **NODE,
        "bond_lamports_max": Bound((BOND, U64), but(errors.BondAboveLimit, BOND - 1, 0)),
    },
    "set_endpoint": {"slot": SLOT, **NODE},
    "set_weight": {"slot": SLOT, "weight": WEIGHT},
    "ready": {
        **ADVANCING,
        "digest_epoch": only(errors.UnknownDigest, U32),
        "digest_round": only(errors.UnknownDigest, U32),
        "digest": this(errors.UnknownDigest),
        "chain_hash": this(errors.UnknownChainHash),
    },
    "behind": ADVANCING,
    "leave": ADVANCING,
    "commit": {
        **ADVANCING,
        "commitment": Bound((ONES,), but(errors.CommitmentZero, ZERO)),
        "bytes": at_most(1 << 20, errors.PayloadTooLarge, least=1),
        **dict.fromkeys(("loss_micronats", "tokens", "train_milliseconds"), ANY_U32),
    },
    "attest": {
        **ADVANCING,
        "bits": Bound(
            (b"\0", b"\x07"),
            (
                *but(errors.BitFieldLength, b"", b"\0\0", bytes(100)),
                *but(errors.BitNotCommitted, b"\x08", b"\xff"),
            ),
        ),
        "custody_root": ANY_HASH,
    },
    "attest_state": {**HERE, "vote": ANY_HASH},
    "reveal_state": {**HERE, "digest": this(errors.VoteMismatch)},
    "missing": {
        **HERE,
        # Nothing of the round that runs is accepted yet.
        "round": Bound(
            (by(0),),
            (*but(errors.WrongRound, by(4), by(-1), U32), *but(errors.ComplaintClosed, by(1))),
        ),
        "target": Bound((by(0),), but(errors.NotAccepted, 7, 8, U16)),
    },
    "verdict": AUDIT,
    "seal_verdict": {**HERE, "target": only(errors.NotAVerifier, U16), "sealed": ANY_HASH},
    "open_verdict": OPENING,
    "publish_checkpoint": {"epoch": EPOCH, "slot": SLOT, "uri": URI},
    "confirm_checkpoint": {
        "epoch": EPOCH,
        "slot": SLOT,
        "place": Bound((0,), but(errors.NothingPublished, 1, 2, 255)),
    },
}


def bonded() -> World:
    """A complete run without members that takes a bond."""
    return world_at(Phase.PAUSED, bond_lamports=BOND)


def call_of(name: str) -> Call:
    """The valid call of an instruction, where every bound of its arguments can be met."""
    found = next(call for call in CALLS if call.name == name)
    return replace(found, given=bonded) if name == "join" else found


def with_argument(call: Call, world: World, path: str, value: Any) -> Any:
    """The instruction with another value in an argument; None if there is no such value here."""
    valid = call.args(world)
    *outer, last = path.split(".")
    holder = getattr(valid, outer[0]) if outer else valid
    if isinstance(value, Later):
        value = value.of(world, getattr(holder, last))
        if value is None:
            return None
    if path == "transition":
        return call.instruction(world, transition=value)
    changed = replace(holder, **{last: value})
    args = replace(valid, **{outer[0]: changed}) if outer else changed
    if path == "run_id":
        # No address follows from a longer one: that of its first bytes is named.
        run = run_address(creator=ALICE.wallet, run_id=value[:32])
        return call.instruction(world, args, run=run)
    return call.instruction(world, args)
