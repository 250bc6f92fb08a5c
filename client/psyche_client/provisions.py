"""What a client needs before it takes part: the run's document, its data, a node key of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlparse

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_client.data.errors import DataError
from psyche_client.data.http import HttpSource
from psyche_client.data.mirrors import SourceError
from psyche_client.data.places import open_sources
from psyche_client.data.remote import Remote
from psyche_client.data.shards import Shards
from psyche_client.model.document import DOCUMENT_BYTES_MAX, ModelDocument
from psyche_client.options import JoinOptions
from psyche_client.sighting import RunFacts
from psyche_client.store import write_durably

SEED_BYTES = 32


def open_remote(options: JoinOptions, document: ModelDocument, run: Pubkey) -> Remote | None:
    """The places of the run's data that model.json names; None where `--data` or nothing does."""
    if options.data is not None or not document.data.sources:
        return None
    key = Keypair.from_seed(node_seed(options.home / "node.key"))
    sources = open_sources(
        document.data.sources,
        run=bytes(run),
        node_key=bytes(key.pubkey()),
        sign=lambda text: bytes(key.sign_message(text)),
    )
    return Remote(sources) if sources else None


def open_shards(
    options: JoinOptions,
    document: ModelDocument,
    remote: Remote | None = None,
    *,
    split: Literal["train", "val"] = "train",
) -> Shards:
    """The run's data: a folder on this machine, else what `remote` has, kept in the home folder.

    Raises:
        DataError: it is not there, or not the run's.
    """
    folder = options.data
    if folder is None and remote is None:
        raise DataError("this run's data is local", hint="name its folder with --data")
    return Shards(
        folder or options.home / "data",
        split=split,
        sequence_tokens=document.data.sequence_tokens,
        tokenizer_sha256=document.tokenizer_sha256,
        merkle_root=document.data.merkle_root,
        remote=remote,
    )


def read_document(home: Path, facts: RunFacts) -> ModelDocument:
    """model.json of the run: from this client's folder, else from where the chain says it lies.

    Raises:
        DataError: it is nowhere to be had.
        DocumentError: it is not the one that the chain names.
    """
    kept = home / "model.json"
    place = urlparse(facts.model_uri)
    if not kept.exists() and place.scheme in ("http", "https"):
        data = fetch_document(facts, hint=f"put it into {kept}")
        write_durably(kept, data)
        return ModelDocument.decode(data)
    source = kept
    if not kept.exists():
        if place.scheme != "file":
            raise DataError(
                f"this run's model.json lies at `{facts.model_uri}`, which cannot be read",
                hint=f"put it into {kept}",
            )
        source = Path(unquote(place.path))
    try:
        with source.open("rb") as file:
            data = file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise DataError(
            f"cannot read {source}: {error.strerror}", hint=f"put the run's model.json into {kept}"
        ) from error
    document = ModelDocument.decode(data, sha256=facts.model_hash)
    if source is not kept:
        write_durably(kept, data)
    return document


def fetch_document(facts: RunFacts, *, hint: str) -> bytes:
    """model.json from a web server, checked against the chain.

    Raises:
        DataError: it is not there, or is another one.
    """
    folder, _, name = facts.model_uri.rpartition("/")
    source = HttpSource(folder)
    try:
        data = asyncio.run(source.whole(unquote(name), DOCUMENT_BYTES_MAX))
    except SourceError as error:
        raise DataError(f"cannot fetch {facts.model_uri}: {error}", hint=hint) from error
    ModelDocument.decode(data, sha256=facts.model_hash)
    return data


def node_seed(path: Path) -> bytes:
    """The seed of this client's node key, made at first use; mode 600.

    Raises:
        DataError: the file holds no seed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        seed = path.read_bytes()
        if len(seed) != SEED_BYTES:
            raise DataError(
                f"{path} holds no node key", hint="delete it; a new one is made"
            ) from None
        return seed
    with os.fdopen(descriptor, "wb") as file:
        file.write(seed := secrets.token_bytes(SEED_BYTES))
    return seed
