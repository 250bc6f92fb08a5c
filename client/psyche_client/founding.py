"""What a new run is made of: model.json, the initial parameters, and what is sent to the chain.

Needs numpy and the SDK, but no torch: who creates a run need not be able to train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from psyche_client import config as files
from psyche_client._sums import model_config
from psyche_client.data.manifest import Manifest
from psyche_client.data.places import check_uri
from psyche_client.model.digest import digest_of
from psyche_client.model.document import DataSection, ModelDocument
from psyche_client.model.init import initial_parameters
from psyche_client.optim.layout import Layout, check_exactness
from psyche_client.optim.rule import UpdateRule
from psyche_sdk._generated.types import CreateRunArgs, RunConfig

RESERVED_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """A run before it is on chain.

    Attributes:
        initial: the parameters that the init seed gives, by name.
        digest: their digest, which the run starts from.
        payload_bytes_max: no payload of the run is longer.
    """

    document: ModelDocument
    initial: dict[str, npt.NDArray[np.float32]]
    digest: bytes
    payload_bytes_max: int
    args: CreateRunArgs


def found(
    config: files.Config,
    manifest: Manifest,
    *,
    model_uri: str = "",
    places: Sequence[str] = (),
) -> Founding:
    """Works out a run from its file and its prepared data, which lies at `places`, too.

    Raises:
        DataError: a place is none that a client could ask.
        ConfigError: the data is not that of the file, or too little for it.
        ExactnessError: votes of so many members could make sums that round.
        ModelError, RuleError, LayoutError: the parts do not fit together.
    """
    check_data(config, manifest)
    for uri in places:
        check_uri(uri)
    document = model_document(config, manifest, places)
    rule = UpdateRule.from_value(files.update_fields(config))
    shapes = document.architecture.parameter_shapes()
    layout = Layout.from_shapes(shapes, embeddings=rule.embeddings)
    check_exactness(config.run.capacity, layout, rule)
    initial = initial_parameters(document.architecture, document.init_seed)
    first = digest_of(initial, 0)
    bytes_max = rule.form_max(layout.coefficients).bytes_max
    args = CreateRunArgs(
        run_id=config.run.id,
        capacity=config.run.capacity,
        config=run_config(config, manifest, bytes_max),
        model_hash=document.sha256(),
        model_uri=model_uri,
        join_authority=None,
        digest=first,
    )
    return Founding(
        document=document,
        initial=initial,
        digest=first,
        payload_bytes_max=bytes_max,
        args=args,
    )


def check_data(config: files.Config, manifest: Manifest) -> None:
    """Refuses data with which no client of this run could train.

    Raises:
        ConfigError: it has tokens that the model does not know, or less than one round.
    """
    tokens, known = manifest.vocab_size, config.data.vocabulary_tokens
    if tokens > known:
        raise files.ConfigError(
            f"the data has a vocabulary of {tokens} tokens, `data.vocabulary_tokens` is {known}",
            f"prepare the data again with `--run`, or write `vocabulary_tokens = {tokens}`",
        )
    need, there = config.training.batch_sequences_end, sequences_of(config, manifest)
    if need > there:
        raise files.ConfigError(
            f"`training.batch_sequences_end` ({need}) is more than the {there} sequences "
            "that the data has",
            "prepare more text, or lower it",
        )


def model_document(
    config: files.Config, manifest: Manifest, places: Sequence[str] = ()
) -> ModelDocument:
    """model.json of a run."""
    architecture = model_config(config)
    rule = dict(files.update_fields(config))
    schedule = rule.pop("schedule")
    assert isinstance(schedule, dict)
    return ModelDocument(
        architecture=architecture,
        init_seed=files.seed_bytes(config.training.model.init_seed),
        update_rule=rule,
        schedule=schedule,
        tokenizer_sha256=manifest.tokenizer_sha256,
        data=DataSection(
            sequence_tokens=config.training.sequence_tokens,
            sequences=sequences_of(config, manifest),
            merkle_root=manifest.merkle_root(),
            sources=tuple(places),
        ),
    )


def sequences_of(config: files.Config, manifest: Manifest) -> int:
    """Training sequences in the data, each one token longer than it is said to be."""
    return (manifest.train.tokens - 1) // config.training.sequence_tokens


def run_config(config: files.Config, manifest: Manifest, payload_bytes_max: int) -> RunConfig:
    """The program's configuration, all fields written out."""
    fields = files.chain_fields(config)
    fields.update(
        data_sequences=sequences_of(config, manifest),
        payload_bytes_max=payload_bytes_max,
        reserved=bytes(RESERVED_BYTES),
    )
    return RunConfig(**fields)  # type: ignore[arg-type]  # ints but for two, which are bytes
