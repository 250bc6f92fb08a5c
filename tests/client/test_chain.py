"""The client's hand on the chain: what is sent when, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_client.chain import Chain, ChainError, TakenOverError
from psyche_client.decide import VoteStage
from psyche_client.payloads import Trained
from psyche_client.seen import RoundSeen, StateVoteSeen
from psyche_sdk._generated import layouts
from psyche_sdk._generated.accounts import PARTICIPANT_DISCRIMINATOR
from psyche_sdk._send import Receipt
from psyche_sdk.coordinator import Snapshot
from psyche_sdk.errors import AccountMissing, InsufficientFunds, RpcUnreachable
from psyche_sdk.program_errors import (
    ComplaintClosed,
    ComplaintSpent,
    NotAccepted,
    SlotTaken,
    TooEarly,
)
from support.accounts import CAPACITY
from support.client import START, agreed, record, seat, settled, sight
from support.sights import ACTIVE, JOINED, account, snapshot

WALLET = Keypair.from_seed(bytes([7]) * 32)
LANDED = 1000
PAYLOADS = {1: b"one", 2: b"two"}
TRAINED = Trained(payload=b"p" * 600, loss=4.25, tokens=32, coefficients=5, seconds=0.5)


class FakeCoordinator:
    """Answers what a test wrote down; remembers each instruction."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.snapshots = list(snapshots)
        self.sent: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.error: Exception | None = None
        self.participants: dict[bytes, bytes] = {}
        self.asked: list[bytes] = []

    async def snapshot(self) -> Snapshot:
        if self.error is not None:
            raise self.error
        return self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]

    async def participant(self, wallet: Pubkey) -> Any:
        self.asked.append(bytes(wallet))
        if bytes(wallet) not in self.participants:
            raise AccountMissing(wallet)
        return account(self.participants[bytes(wallet)])

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def send(*arguments: Any, **options: Any) -> Receipt:
            if self.error is not None:
                raise self.error
            self.sent.append((name, arguments, options))
            return Receipt(signature="", chain_slot=LANDED)

        return send


def chain_of(*snapshots: Snapshot) -> tuple[Chain, FakeCoordinator]:
    coordinator = FakeCoordinator(*snapshots)
    made = Chain(
        coordinator,  # type: ignore[arg-type]
        WALLET,
        node_key=b"n" * 32,
        address_text="127.0.0.1:7000",
    )
    return made, coordinator


def at(chain_slot: int, **run: Any) -> Snapshot:
    made = snapshot(**run)
    return Snapshot(
        chain_slot=chain_slot,
        unix_seconds=made.unix_seconds,
        run=made.run,
        roster=made.roster,
        rounds=made.rounds,
    )


def participant(address: str) -> bytes:
    """The bytes of a participant's account that says where its node is."""
    row = np.zeros(1, layouts.PARTICIPANT)
    row["version"] = 2
    row["address"][0, : len(address)] = np.frombuffer(address.encode(), np.uint8)
    row["address_len"] = len(address)
    return PARTICIPANT_DISCRIMINATOR + row.tobytes()


def target(**changes: Any) -> RoundSeen:
    values: dict[str, Any] = {"settled": False, "accepted": (), "unattested": 5, "awaited": 5}
    return record(settled(0, PAYLOADS), PAYLOADS, **(values | changes))


async def test_a_node_that_lags_behind_does_not_turn_time_back() -> None:
    chain, _ = chain_of(at(9, round=5), at(8, round=4))
    assert (await chain.sight()).round == 5
    assert (await chain.sight()).round == 5


async def test_a_node_that_does_not_answer_is_a_chain_error() -> None:
    chain, coordinator = chain_of(at(9))
    coordinator.error = RpcUnreachable("nobody answers")
    with pytest.raises(ChainError, match="nobody answers"):
        await chain.sight()


async def test_an_account_that_cannot_be_is_a_chain_error_until_a_sound_one_comes() -> None:
    chain, _ = chain_of(at(9, phase=77), at(10, round=6))
    with pytest.raises(ChainError, match="phase"):
        await chain.sight()
    assert (await chain.sight()).round == 6


async def test_lack_of_money_is_not_waited_out() -> None:
    chain, coordinator = chain_of(at(9))
    coordinator.error = InsufficientFunds(str(WALLET.pubkey()), "it holds nothing")
    with pytest.raises(InsufficientFunds):
        await chain.tick(sight())


async def test_a_newcomer_takes_a_free_slot_with_its_node_and_address() -> None:
    mine = {"wallet": bytes(WALLET.pubkey()), "state": JOINED, "member_id": 33}
    others = {s: {"state": ACTIVE, "member_id": s + 1} for s in range(CAPACITY) if s != 3}
    chain, coordinator = chain_of(snapshot(members=others), snapshot(members=others | {3: mine}))
    assert await chain.join(await chain.sight()) == (3, 33)
    ((name, (args,), _),) = coordinator.sent
    assert name == "join"
    assert (args.slot, args.node_key, args.address) == (3, b"n" * 32, "127.0.0.1:7000")


async def test_a_newcomer_whose_slot_was_taken_meanwhile_looks_for_another() -> None:
    chain, coordinator = chain_of(snapshot())
    await chain.sight()
    coordinator.error = SlotTaken()
    assert await chain.join(sight()) is None


async def test_a_newcomer_frees_a_slot_whose_holder_is_gone_if_no_other_is_free() -> None:
    wallet = bytes([5]) * 32
    others = {s: {"state": ACTIVE, "member_id": s + 1} for s in range(CAPACITY)}
    others[6] = {"state": 5, "member_id": 7, "wallet": wallet, "bond_lamports": 9}
    chain, coordinator = chain_of(snapshot(members=others))
    coordinator.participants[wallet] = participant("")

    await chain.join(await chain.sight())

    (first, (slot, holder, payee), _), (second, (args,), _) = coordinator.sent
    assert (first, slot, bytes(holder), bytes(payee)) == ("collect", 6, wallet, bytes(32))
    assert (second, args.slot, args.bond_lamports_max) == ("join", 6, 0)


async def test_a_full_run_is_tried_again_later() -> None:
    others = {s: {"state": ACTIVE, "member_id": s + 1} for s in range(CAPACITY)}
    chain, coordinator = chain_of(snapshot(members=others))
    with pytest.raises(ChainError, match="taken"):
        await chain.join(await chain.sight())
    assert coordinator.sent == []


async def test_a_commitment_carries_what_was_trained() -> None:
    chain, coordinator = chain_of(at(9))
    await chain.commit(sight(rounds=(target(),), seat=seat(4)), b"c" * 32, TRAINED)
    ((name, (args,), _),) = coordinator.sent
    assert name == "commit"
    assert (args.epoch, args.round, args.slot, args.commitment) == (0, 0, 4, b"c" * 32)
    assert (args.bytes, args.tokens) == (600, 32)
    assert (args.loss_micronats, args.train_milliseconds) == (4_250_000, 500)


@pytest.mark.parametrize("loss", [float("1e30"), -1.0])
async def test_a_loss_that_does_not_fit_is_cut(loss: float) -> None:
    chain, coordinator = chain_of(at(9))
    trained = Trained(payload=b"", loss=loss, tokens=1, coefficients=0, seconds=0.0)
    await chain.commit(sight(rounds=(target(),)), b"c" * 32, trained)
    ((_, (args,), _),) = coordinator.sent
    assert args.loss_micronats == (2**32 - 1 if loss > 0 else 0)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
async def test_a_loss_that_is_no_number_is_committed_as_the_largest(loss: float) -> None:
    chain, coordinator = chain_of(at(9))
    trained = Trained(payload=b"", loss=loss, tokens=1, coefficients=0, seconds=0.0)
    await chain.commit(sight(rounds=(target(),)), b"c" * 32, trained)
    ((_, (args,), _),) = coordinator.sent
    assert args.loss_micronats == 2**32 - 1


@pytest.mark.parametrize(
    ("awaited", "due", "transition"), [(2, False, False), (1, False, True), (2, True, True)]
)
async def test_only_the_last_to_commit_makes_the_transition(
    awaited: int, due: bool, transition: bool
) -> None:
    chain, coordinator = chain_of(at(9))
    await chain.commit(sight(rounds=(target(awaited=awaited),), due=due), b"c" * 32, TRAINED)
    assert coordinator.sent[0][2] == {"transition": transition}


async def test_an_attestation_has_a_bit_for_each_payload_held() -> None:
    chain, coordinator = chain_of(at(9))
    await chain.attest(sight(seat=seat(4)), target(capacity=16), frozenset({1, 9}), b"r" * 32)
    ((name, (args,), options),) = coordinator.sent
    assert name == "attest"
    assert (args.slot, args.bits) == (4, bytes([0b10, 0b10]))
    assert args.custody_root == b"r" * 32
    assert options == {"transition": False}


async def test_the_last_witness_makes_the_transition() -> None:
    chain, coordinator = chain_of(at(9))
    await chain.attest(sight(), target(unattested=1), frozenset(), bytes(32))
    assert coordinator.sent[0][2] == {"transition": True}


async def test_ready_names_the_state_and_the_history_that_are_held() -> None:
    chain, coordinator = chain_of(at(9))
    await chain.ready(sight(), agreed(3, b"d" * 32), b"h" * 32)
    ((_, (args,), _),) = coordinator.sent
    assert (args.digest_round, args.digest, args.chain_hash) == (3, b"d" * 32, b"h" * 32)


async def test_a_vote_is_about_the_round_under_vote_and_not_the_present_one() -> None:
    chain, coordinator = chain_of(at(9))
    vote = StateVoteSeen(
        epoch=0, round=2, step=2, chain_hash=START, stage=VoteStage.COMMIT, voted=False,
        revealed=False,
    )  # fmt: skip
    await chain.attest_state(sight(round=5, seat=seat(4)), vote, b"s" * 32)
    await chain.reveal_state(sight(round=6, seat=seat(4)), vote, b"d" * 32)
    (_, (hidden,), _), (_, (shown,), _) = coordinator.sent
    assert (hidden.round, hidden.slot, hidden.vote) == (2, 4, b"s" * 32)
    assert (shown.round, shown.slot, shown.digest) == (2, 4, b"d" * 32)


async def test_a_refused_instruction_is_a_chain_error() -> None:
    chain, coordinator = chain_of(at(9))
    coordinator.error = RpcUnreachable("no answer")
    for call in (chain.behind, chain.leave, chain.tick):
        with pytest.raises(ChainError):
            await call(sight())


async def test_members_without_a_readable_account_are_known_by_key_and_asked_for_again() -> None:
    chain, coordinator = chain_of(at(9))
    seen = sight(seats=(seat(1),))
    members = await chain.members(seen)
    assert members[seat(1).node_key].address_text == ""
    await chain.members(seen)
    assert coordinator.asked == [seat(1).wallet] * 2


async def test_an_address_is_read_again_only_while_its_node_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("psyche_client.chain.ADDRESS_SECONDS", 0.0)
    chain, coordinator = chain_of(at(9))
    coordinator.participants[seat(1).wallet] = participant("127.0.0.1:1")
    seen = sight(seats=(seat(1),))
    await chain.members(seen)
    await chain.members(seen)
    assert coordinator.asked == [seat(1).wallet]
    coordinator.participants[seat(1).wallet] = participant("127.0.0.1:2")
    moved = await chain.members(seen, frozenset([seat(1).node_key]))
    assert moved[seat(1).node_key].address_text == "127.0.0.1:2"


async def test_a_restarted_node_writes_its_new_address_to_the_chain_once() -> None:
    chain, coordinator = chain_of(at(9))
    coordinator.participants[seat(1).wallet] = participant("127.0.0.1:1")
    mine = sight(seat=seat(1), seats=(seat(1),))
    await chain.announce(mine)
    await chain.announce(mine)
    ((name, (args,), _),) = coordinator.sent
    assert (name, args.slot, args.address) == ("set_endpoint", 1, "127.0.0.1:7000")


async def test_a_client_ends_when_another_goes_on_with_its_wallet() -> None:
    chain, coordinator = chain_of(at(9))
    coordinator.participants[seat(1).wallet] = participant("127.0.0.1:1")
    mine, other = replace(seat(1), node_key=b"n" * 32), replace(seat(1), node_key=b"o" * 32)
    await chain.announce(sight(seat=other))
    await chain.announce(sight(seat=other, chain_slot=LANDED))  # an older look: not yet there
    await chain.announce(sight(seat=mine, chain_slot=LANDED + 1))
    with pytest.raises(TakenOverError, match="another client"):
        await chain.announce(sight(seat=other, chain_slot=LANDED + 2))


async def test_a_node_that_did_not_move_writes_nothing() -> None:
    chain, coordinator = chain_of(at(9))
    coordinator.participants[seat(1).wallet] = participant("127.0.0.1:7000")
    await chain.announce(sight(seat=replace(seat(1), node_key=b"n" * 32)))
    assert coordinator.sent == []


async def test_a_tick_that_somebody_else_made_first_is_no_error() -> None:
    chain, coordinator = chain_of(at(9))
    coordinator.error = TooEarly()
    await chain.tick(sight())


async def test_a_missing_payload_is_named_with_its_own_round() -> None:
    chain, coordinator = chain_of()
    await chain.missing(sight(round=3), settled(1, PAYLOADS), 2)
    ((name, (args,), _),) = coordinator.sent
    assert name == "missing"
    assert (args.epoch, args.round, args.slot, args.target) == (0, 1, 0, 2)


@pytest.mark.parametrize("error", [ComplaintClosed, ComplaintSpent, NotAccepted])
async def test_a_payload_that_others_took_out_first_is_no_error(error: type[Exception]) -> None:
    chain, coordinator = chain_of()
    coordinator.error = error()
    await chain.missing(sight(round=3), settled(1, PAYLOADS), 2)
