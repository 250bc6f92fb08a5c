"""The rules in Python answer what the rules in Rust answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_sdk._rules import batch, draw, hashing, shares, vote
from psyche_sdk._rules.hashing import Purpose
from psyche_sdk._rules.tally import Tally
from support.golden import golden


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize("case", golden("draw", "seeds"), ids=lambda case: case["purpose"])
def test_seeds_of_draws_agree(case: dict[str, Any]) -> None:
    seed = hashing.draw_seed(
        unhex(case["instance"]),
        case["epoch"],
        case["round"],
        Purpose(case["purpose"]),
        unhex(case["entropy"]),
    )
    assert seed.hex() == case["seed"]


def test_words_agree() -> None:
    (case,) = golden("draw", "words")
    source = draw.words(unhex(case["seed"]))
    assert [next(source) for _ in case["words"]] == case["words"]


@pytest.mark.parametrize("case", golden("draw", "uniform"), ids=lambda case: case["n"])
def test_uniform_numbers_agree(case: dict[str, Any]) -> None:
    source = draw.words(unhex(case["seed"]))
    assert [draw.uniform(source, case["n"]) for _ in case["numbers"]] == case["numbers"]


@pytest.mark.parametrize("case", golden("draw", "shuffle"))
def test_shuffles_agree(case: dict[str, Any]) -> None:
    source = draw.words(unhex(case["seed"]))
    assert draw.shuffled(source, range(case["length"]), case["count"]) == case["items"]


def test_counts_of_verifiers_agree() -> None:
    for members, percent, fraction, count in golden("draw", "verifier_count"):
        assert draw.verifier_count(members, percent, fraction) == count


@pytest.mark.parametrize("case", golden("draw", "roles"))
def test_roles_agree(case: dict[str, Any]) -> None:
    roles = draw.draw_roles(unhex(case["seed"]), case["members"], case["percent"])
    assert roles == (case["verifiers"], case["trainers"])


@pytest.mark.parametrize("case", golden("draw", "witnesses"))
def test_witnesses_agree(case: dict[str, Any]) -> None:
    slots = draw.draw_witnesses(unhex(case["seed"]), case["eligible"], case["count"])
    assert slots == case["slots"]


@pytest.mark.parametrize("case", golden("shares", "ends"))
def test_ends_of_shares_agree(case: dict[str, Any]) -> None:
    ends = shares.share_ends(case["batch"], case["percent"], case["weights"])
    assert ends == case["ends"]


def test_limits_of_weights_agree() -> None:
    for total, members, percent, limit in golden("shares", "limit"):
        assert shares.weight_limit(total, members, percent) == limit


@pytest.mark.parametrize("case", golden("shares", "median"))
def test_medians_agree(case: dict[str, Any]) -> None:
    assert shares.lower_median(case["weights"]) == case["median"]


@pytest.mark.parametrize("case", golden("shares", "weights"))
def test_growth_of_weights_agrees(case: dict[str, Any]) -> None:
    declared, weight = case["declared"], case["weight"]
    assert shares.first_weight(declared, weight) == case["first"]
    assert shares.first_weight(declared, None) == case["first_alone"]
    assert shares.grown_weight(weight, declared) == case["grown"]
    assert shares.halved_weight(weight) == case["halved"]


def test_batches_agree() -> None:
    for start, end, ramp, step, expected in golden("batch", "cases"):
        assert batch.batch_sequences(start, end, ramp, step) == expected


@pytest.mark.parametrize("case", golden("tally", "cases"))
def test_outcomes_of_votes_agree(case: dict[str, Any]) -> None:
    tally = Tally(case["elected"], case["attested"])
    assert tally.valid == case["valid"]
    for votes in range(case["attested"] + 1):
        plain = tally.outcome(committed=True, rejected=False, votes=votes)
        rejected = tally.outcome(committed=True, rejected=True, votes=votes)
        assert [plain, rejected] == [case["committed"][votes], case["rejected"][votes]]
    assert tally.outcome(committed=False, rejected=False, votes=0) == case["uncommitted"]


def test_first_and_reset_chain_hashes_agree() -> None:
    (first,) = golden("chain_hash", "first")
    (reset,) = golden("chain_hash", "reset")
    assert hashing.first_chain_hash(unhex(first["instance"])).hex() == first["chain_hash"]
    again = hashing.reset_chain_hash(unhex(reset["previous"]), unhex(reset["digest"]))
    assert again.hex() == reset["chain_hash"]


@pytest.mark.parametrize("case", golden("chain_hash", "rounds"), ids=lambda case: case["round"])
def test_chain_hashes_of_rounds_agree(case: dict[str, Any]) -> None:
    commitments = [unhex(commitment) for commitment in case["commitments"]]
    found = hashing.chain_hash(
        unhex(case["previous"]), case["epoch"], case["round"], unhex(case["accepted"]), commitments
    )
    assert found.hex() == case["chain_hash"]


def test_a_chain_hash_refuses_commitments_that_do_not_fit_the_bits() -> None:
    with pytest.raises(ValueError, match="one commitment for each"):
        hashing.chain_hash(bytes(32), 0, 0, b"\x03", [bytes(32)])
    with pytest.raises(ValueError, match="32 bytes"):
        hashing.chain_hash(bytes(32), 0, 0, b"\x01", [bytes(31)])


@given(st.sets(st.integers(0, 63)))
def test_a_bit_field_holds_its_bits(indices: set[int]) -> None:
    field = hashing.bit_field(sorted(indices), 64)
    assert hashing.set_bits(field).tolist() == sorted(indices)
    assert {index for index in range(100) if hashing.bit(field, index)} == indices


def test_sealed_digests_agree() -> None:
    (case,) = golden("vote", "sealed")
    sealed = vote.sealed_digest(unhex(case["digest"]), unhex(case["wallet"]))
    assert sealed.hex() == case["sealed"]


@pytest.mark.parametrize("case", golden("vote", "agreed"))
def test_agreement_on_digests_agrees(case: dict[str, Any]) -> None:
    revealed = [unhex(digest) for digest in case["revealed"]]
    agreed = vote.agreed_digest(revealed, case["voters"], case["min_members"])
    assert (agreed.hex() if agreed else None) == case["agreed"]
