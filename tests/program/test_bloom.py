"""Bloom attestations: the program counts what the filter holds, and takes no other filter."""

from __future__ import annotations

import pytest

from psyche_sdk.program_errors import BitFieldLength, BloomTooFull, ConfigBloomBytes
from psyche_sdk.views import Phase, accepted, attested_by, bloom_filter, committed, my_role
from support.actors import BOB, CAROL, TRIO, Actor, crowd
from support.program import World, world_at

#: So rare that no chance falsifies a test.
PPM = 1
BLOOM = {"attestation_kind": 1, "bloom_false_positive_ppm": PPM}


def attestable(**changes: int) -> World:
    world = world_at(Phase.TRAIN, **(BLOOM | changes))
    world.commit_all()
    world.store_entropy()
    return world


def place_of(world: World, actor: Actor) -> int:
    place = my_role(world.record(), world.member(actor)).witness
    assert place is not None
    return place


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_run_whose_witnesses_send_filters_accepts_all(overlap: int) -> None:
    world = world_at(Phase.COOLDOWN, total_steps=4, overlap=overlap, **BLOOM)

    assert world.run.accepted == world.run.fresh_cursor > 0
    assert world.run.repeated == world.run.backlog_positions == 0


def test_what_a_filter_holds_is_attested_and_a_repeat_only_adds() -> None:
    world = attestable()
    first, second, third = committed(world.record())

    world.attest(BOB, [second], transition=False)
    assert attested_by(world.record(), place_of(world, BOB)) == [second]
    world.attest(BOB, [third], transition=False)
    assert attested_by(world.record(), place_of(world, BOB)) == [second, third]
    world.attest(BOB, [], transition=False)
    assert attested_by(world.record(), place_of(world, BOB)) == [second, third]
    assert first not in attested_by(world.record(), place_of(world, BOB))


def test_a_filter_of_another_witness_holds_nothing() -> None:
    world = attestable()
    copied = world.attest_args(CAROL).bits

    world.attest(BOB, bits=copied, transition=False)

    assert attested_by(world.record(), place_of(world, BOB)) == []


def test_a_filter_of_another_length_is_refused() -> None:
    world = attestable()
    good, before = world.attest_args(BOB).bits, world.state()

    for bits in (b"", good[:-1], good + b"\0", b"\x07"):
        with pytest.raises(BitFieldLength):
            world.attest(BOB, bits=bits)

    assert world.state() == before


def test_a_bit_behind_the_filters_end_is_refused() -> None:
    world = attestable()
    filter_ = bloom_filter(world.run, world.record(), place_of(world, BOB))
    assert filter_ is not None
    bits = bytearray(world.attest_args(BOB).bits)
    assert filter_.form.bits % 8
    bits[-1] |= 0x80

    with pytest.raises(BitFieldLength):
        world.attest(BOB, bits=bytes(bits))


def test_a_filter_that_holds_everything_is_refused() -> None:
    world = attestable()
    filter_ = bloom_filter(world.run, world.record(), place_of(world, BOB))
    assert filter_ is not None
    full = (1 << filter_.form.bits) - 1
    before = world.state()

    with pytest.raises(BloomTooFull):
        world.attest(BOB, bits=full.to_bytes(filter_.form.bytes, "little"))
    # One more than chance can set is too many; just so many are not.
    most = filter_.form.ones_max(3)
    with pytest.raises(BloomTooFull):
        world.attest(BOB, bits=((1 << most + 1) - 1).to_bytes(filter_.form.bytes, "little"))

    assert world.state() == before
    world.attest(BOB, bits=((1 << most) - 1).to_bytes(filter_.form.bytes, "little"))


def test_the_second_draws_filters_have_the_keys_of_its_own_entropy() -> None:
    world = attestable()
    world.pass_seconds(world.config.witness_seconds)
    world.tick()
    world.pass_time(slots=3)
    world.tick()
    record = world.record()
    assert record.draws == 2
    actor = next(iter(world.witnesses()))
    place = place_of(world, actor)
    filter_ = bloom_filter(world.run, record, place)
    first = bloom_filter(world.run, type(record)(**{**fields(record), "draws": 1}), place)
    assert filter_ is not None
    assert first is not None
    assert filter_.keys != first.keys

    world.attest_all()

    assert accepted(world.record(0)) == [0, 1, 2]


def fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}  # type: ignore[attr-defined]


def test_a_rate_whose_filter_no_transaction_takes_is_refused() -> None:
    world = World(TRIO)
    with pytest.raises(ConfigBloomBytes):
        world.given_run(capacity=1024, attestation_kind=1, bloom_false_positive_ppm=40_000)
    world.given_run(capacity=1024, attestation_kind=1, bloom_false_positive_ppm=60_000)


def test_a_filter_of_256_members_costs_what_the_limits_say() -> None:
    world = World(crowd(256))
    big = {"batch_sequences_start": 2**18, "batch_sequences_end": 2**18}
    world.given_run(
        capacity=256, init_min_members=256, train_seconds=100, **big,
        attestation_kind=1, bloom_false_positive_ppm=10_000,
    )  # fmt: skip
    world.to_phase(Phase.TRAIN)
    world.commit_all()
    world.store_entropy()
    for actor in world.witnesses()[:4]:
        world.attest(actor, transition=False)
    assert world.units["attest"] <= 40_000
