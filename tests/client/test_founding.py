"""A new run: model.json, the initial parameters and what goes on chain fit together."""

from dataclasses import replace
from hashlib import sha256

import pytest

from psyche_client.config import ConfigError
from psyche_client.data.manifest import Manifest, Shard, Split
from psyche_client.demo.stage import demo_config
from psyche_client.founding import Founding, found, sequences_of
from psyche_client.model.digest import digest_of
from psyche_client.model.document import ModelDocument
from psyche_client.options import DemoOptions
from psyche_client.trainer import Trainer
from support.client import INSTANCE

CONFIG = demo_config(DemoOptions(rounds=12, clients=3, seed=4))
TOKENS = 10_001


def small_manifest(count: int) -> Manifest:
    """A corpus of so many tokens in one shard, and nothing held out."""
    block = sha256(count.to_bytes(4, "little")).digest()
    return Manifest(
        dtype="uint16",
        sequence_tokens=CONFIG.training.sequence_tokens,
        vocab_size=CONFIG.data.vocabulary_tokens,
        tokenizer_sha256=sha256(b"a tokenizer").digest(),
        train=Split((Shard("train-0.bin", count, (block,)),)),
        val=Split(()),
        sources=(),
    )


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return small_manifest(TOKENS)


def test_data_that_a_client_could_not_train_on_is_refused_before_anything_is_sent(
    manifest: Manifest,
) -> None:
    known = CONFIG.data.vocabulary_tokens
    with pytest.raises(ConfigError, match=f"a vocabulary of {known + 1} tokens") as other:
        found(CONFIG, replace(manifest, vocab_size=known + 1))
    assert other.value.hint.endswith(f"write `vocabulary_tokens = {known + 1}`")

    batch, tokens = CONFIG.training.batch_sequences_end, CONFIG.training.sequence_tokens
    with pytest.raises(ConfigError, match=f"more than the {batch - 1} sequences"):
        found(CONFIG, small_manifest(batch * tokens))
    found(CONFIG, small_manifest(batch * tokens + 1))


@pytest.fixture(scope="module")
def founding(manifest: Manifest) -> Founding:
    return found(CONFIG, manifest, model_uri="file:///model.json")


def test_the_chain_gets_the_hash_of_the_document_that_clients_read(founding: Founding) -> None:
    raw = founding.document.encode()
    assert founding.args.model_hash == sha256(raw).digest()
    assert ModelDocument.decode(raw, sha256=founding.args.model_hash) == founding.document
    assert founding.args.model_uri == "file:///model.json"


def test_the_digest_on_chain_is_that_of_the_initial_parameters(founding: Founding) -> None:
    assert founding.args.digest == founding.digest == digest_of(founding.initial, 0)


def test_a_client_that_reads_the_document_starts_from_that_digest(founding: Founding) -> None:
    trainer = Trainer(
        founding.document,
        instance=INSTANCE,
        members_max=founding.args.capacity,
        payload_bytes_max=founding.payload_bytes_max,
    )
    assert trainer.digest(0) == founding.digest


def test_the_data_of_the_run_is_that_of_the_manifest(
    founding: Founding, manifest: Manifest
) -> None:
    data = founding.document.data
    assert data.merkle_root == manifest.merkle_root()
    assert founding.document.tokenizer_sha256 == manifest.tokenizer_sha256
    # Each sequence needs the token after it too.
    assert data.sequences == (TOKENS - 1) // CONFIG.training.sequence_tokens
    assert founding.args.config.data_sequences == data.sequences


def test_a_token_less_is_a_sequence_less() -> None:
    length = CONFIG.training.sequence_tokens
    assert sequences_of(CONFIG, small_manifest(3 * length + 1)) == 3
    assert sequences_of(CONFIG, small_manifest(3 * length)) == 2


def test_the_program_gets_what_the_file_says(founding: Founding) -> None:
    args = founding.args
    assert (args.run_id, args.capacity) == ("demo", 8)
    assert args.config.total_steps == 12
    assert args.config.payload_bytes_max == founding.payload_bytes_max
    assert args.config.reserved == bytes(32)


def test_another_seed_makes_another_run(founding: Founding, manifest: Manifest) -> None:
    other = found(demo_config(DemoOptions(rounds=12, clients=3, seed=5)), manifest)
    assert other.digest != founding.digest
    assert other.args.model_hash != founding.args.model_hash
