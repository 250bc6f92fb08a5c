"""What holds for every instruction: who signs, which accounts, when, and for which slot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from psyche_sdk.errors import AnchorError, ProgramError, PsycheError
from psyche_sdk.program_errors import (
    NotAMember,
    NotYourSlot,
    Unauthorized,
    WrongAccount,
    WrongVersion,
)
from support.actors import BOB, MALLORY
from support.broken_calls import (
    with_each_account_swapped,
    without_each_signer,
    without_each_write,
)
from support.instruction_table import (
    ACCOUNTS,
    CALLS,
    Call,
    send_as_named,
)

#: Anchor's error for a signature that is missing.
NOT_SIGNER = 3010
by_name = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
VERDICTS = ("verdict", "seal_verdict", "open_verdict")
ROUNDED = (
    *("commit", "attest", "ready", "behind", "leave", "attest_state", "reveal_state"),
    *VERDICTS,
)
CHECKPOINTS = ("publish_checkpoint", "confirm_checkpoint")
SLOTTED = (*ROUNDED, *CHECKPOINTS, "missing", "set_weight")
OWNERS = (
    "update_config",
    "update_model",
    "update_metadata",
    "set_rates",
    "set_authority",
    "set_join_authority",
    "set_checkpoint",
    "resume",
    "pause",
    "abort",
    "close_run",
)


def calls(*names: str) -> pytest.MarkDecorator:
    """The test for the calls of these names."""
    chosen = [call for call in CALLS if call.name in names]
    return pytest.mark.parametrize("call", chosen, ids=lambda call: call.name)


def test_every_instruction_is_in_the_table() -> None:
    assert {call.name for call in CALLS} == set(ACCOUNTS)


@by_name
def test_the_valid_call_succeeds_and_changes_the_run(call: Call) -> None:
    world = call.given()
    before = world.state()

    call.send(world)

    assert world.state() != before


@by_name
def test_no_signer_can_be_left_out(call: Call) -> None:
    world = call.given()
    before = world.state()

    for name, broken in without_each_signer(call, world):
        with pytest.raises(AnchorError) as caught:
            send_as_named(world, broken)
        assert caught.value.code == NOT_SIGNER, name

    assert world.state() == before


@by_name
def test_no_account_can_be_another(call: Call) -> None:
    world = call.given()
    before = world.state()

    for name, broken in with_each_account_swapped(call, world):
        try:
            send_as_named(world, broken)
        except (ProgramError, AnchorError):
            continue
        except Exception as error:
            pytest.fail(f"{name}: {error!r}")
        pytest.fail(f"{name}: was accepted")

    assert world.state() == before


@by_name
def test_where_another_account_is_as_good_it_is_taken(call: Call) -> None:
    world = call.given()
    swapped = dict(with_each_account_swapped(call, world, free=True))

    assert {name.partition(" by ")[0] for name in swapped} == call.free
    for broken in swapped.values():
        send_as_named(world, broken, only_try=True)


@by_name
def test_every_account_that_changes_must_be_writable(call: Call) -> None:
    world = call.given()
    before = world.state()

    # By Anchor, or by the chain where it would have to make or pay something.
    for name, broken in without_each_write(call, world):
        try:
            send_as_named(world, broken)
        except PsycheError:
            continue
        pytest.fail(f"{name}: was accepted")

    assert world.state() == before


@calls(*OWNERS, "issue_pass", "revoke_pass")
def test_only_the_owner_acts_on_the_run(call: Call) -> None:
    world = call.given()
    before = world.state()

    for actor in (MALLORY, BOB):
        with pytest.raises(Unauthorized):
            replace(call, actor=actor).send(world)

    assert world.state() == before


@pytest.mark.parametrize("name", ["roster", "rounds"])
@calls("commit", "attest", "tick", "ready", "leave", "abort", "join", "attest_state", *CHECKPOINTS)
def test_the_accounts_of_another_run_are_named_as_wrong(call: Call, name: str) -> None:
    world = call.given()
    swapped = dict(with_each_account_swapped(call, world))

    with pytest.raises(WrongAccount):
        send_as_named(world, swapped[f"{name} by other {name}"])


@calls(*SLOTTED)
def test_mallory_cannot_act_for_a_member(call: Call) -> None:
    world = call.given()
    args = call.args(world)
    before = world.state()

    with pytest.raises(NotYourSlot):
        replace(call, actor=MALLORY).send(world, args)

    assert world.state() == before


@calls(*SLOTTED, "set_endpoint")
def test_who_has_left_cannot_act_any_more(call: Call) -> None:
    world = call.given()
    world.do("leave", BOB, world.here(BOB), transition=False)

    with pytest.raises(NotAMember):
        call.send(world)


@calls(
    *OWNERS,
    *CHECKPOINTS,
    "accept_authority",
    "collect",
    "close_participant",
    "issue_pass",
    "revoke_pass",
    "tick",
    "commit",
    "attest",
    "ready",
    "join",
    "leave",
)
def test_an_account_of_another_layout_version_is_refused(call: Call) -> None:
    world = call.given()
    instruction = call.instruction(world)
    data = bytearray(world.data(world.run_key))
    data[8] = 9
    world.poke(world.run_key, bytes(data))

    with pytest.raises(WrongVersion):
        send_as_named(world, instruction)
