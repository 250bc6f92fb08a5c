"""`psyche data`: text becomes the tokens that a run trains on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.opened import with_run
from psyche_client.cli.output import count_bytes, put, put_json, put_text, say
from psyche_client.cli.progress import Progress
from psyche_client.cli.settings import Json, Url

if TYPE_CHECKING:
    from psyche_client.data.manifest import Manifest
    from psyche_sdk.coordinator import Coordinator

app = typer.Typer(help="Turn text into training data.", no_args_is_help=True, rich_markup_mode=None)

PYTHON = "python"
"""The source that every installation has: the text of Python's own standard library."""

BPE, BYTES = "bpe", "bytes"


@app.command()
def prepare(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Where the data goes.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help=f"Files, folders, or `{PYTHON}`."),
    ] = None,
    *,
    config: Annotated[
        Path | None, typer.Option("--run", metavar="FILE", help="Take all numbers from a run.toml.")
    ] = None,
    vocabulary: Annotated[int, typer.Option(min=257, help="Tokens in the vocabulary.")] = 2_048,
    tokenizer: Annotated[
        str,
        typer.Option(
            metavar=f"{BPE}|{BYTES}|FILE",
            help=f"`{BPE}` is learned from the text, `{BYTES}` is a token for each byte; "
            "else a tokenizer.json.",
        ),
    ] = BPE,
    field: Annotated[
        str, typer.Option(metavar="NAME", help="Where JSON lines and parquet keep the text.")
    ] = "text",
    bytes_max: Annotated[int, typer.Option(min=1, help="Bytes of text to take.")] = 4_000_000,
    held_out_percent: Annotated[
        int, typer.Option(min=1, max=50, help="Per cent of the text kept for validation.")
    ] = 5,
    sequence_tokens: Annotated[int, typer.Option(min=1, help="Tokens in a sequence.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the texts that are held out.")] = 0,
    json: Json = False,
) -> None:
    """Tokenise text into a folder of shards, with whole documents held out.

    A text file is one document. Files named .jsonl, .jsonl.gz and .parquet hold one in each line
    or row; parquet needs the package pyarrow. A command that was ended goes on where it was when
    it is given again.
    """
    options: dict[str, Any] = {
        "vocab_size": vocabulary,
        "bytes_max": bytes_max,
        "held_out_fraction": held_out_percent / 100,
        "sequence_tokens": sequence_tokens,
        "seed": seed,
        "field": field,
    }
    names = sources or []
    if config is not None:
        from psyche_client.config import load  # noqa: PLC0415 - a page of help reads no file

        run = load(config)
        names = names or [run.data.source]
        options |= {
            "vocab_size": run.data.vocabulary_tokens,
            "bytes_max": run.data.text_bytes_max,
            "held_out_fraction": run.data.held_out_percent / 100,
            "sequence_tokens": run.training.sequence_tokens,
        }
    if not names:
        raise CommandError(
            "no text to prepare", hint=f"name files, folders or `{PYTHON}` after {out}"
        )
    _show(_prepare(names, out, tokenizer, options), out, json=json)


@app.command()
def mix(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Where the mixture goes.")],
    parts: Annotated[
        list[str], typer.Argument(metavar="DATA=WEIGHT...", help="Prepared data, and its weight.")
    ],
    *,
    json: Json = False,
) -> None:
    """Mix prepared data by weight: with 3 and 1, three sequences in four are of the first."""
    from psyche_client.data.mix import mix as run  # noqa: PLC0415 - it imports numpy

    _show(run([_weighted(part) for part in parts], out), out, json=json)


@app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared data.")],
    *,
    check: Annotated[bool, typer.Option(help="Read all of it and compare every hash.")] = False,
    text: Annotated[int, typer.Option(min=0, max=100, help="Sequences to show as text.")] = 0,
    json: Json = False,
) -> None:
    """Say what is in a folder of prepared data."""
    from psyche_client.data.manifest import Manifest  # noqa: PLC0415 - it imports numpy

    manifest = Manifest.read(folder)
    if check:
        _check(folder)
    _show(manifest, folder, json=json)
    if text:
        _show_text(folder, text)


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Prepared data.")],
    run: Annotated[str, typer.Argument(metavar="RUN", help="Whose members may fetch it.")],
    *,
    bind: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "0.0.0.0:7900",
    url: Url = None,
) -> None:
    """Serve prepared data to the members of a run, until Ctrl-C."""
    from psyche_client.serving import serve_members  # noqa: PLC0415 - a page of help needs no chain

    async def work(coordinator: Coordinator) -> None:
        await serve_members(folder, coordinator, bind, say)

    with_run(run, work, url=url)


def _prepare(names: list[str], out: Path, tokenizer: str, options: dict[str, Any]) -> Manifest:
    from psyche_client.data.prepare import prepare as run  # noqa: PLC0415 - it imports numpy
    from psyche_client.data.sources import stdlib_sources  # noqa: PLC0415 - as above
    from psyche_client.data.tokenizer import VOCAB_BYTES, Tokenizer  # noqa: PLC0415 - as above

    for name in names:
        if name != PYTHON and not Path(name).exists():
            raise CommandError(
                f"{name}: no such file or folder",
                hint=f"name text files, folders of them, or `{PYTHON}`",
                code=Code.DATA,
            )
    sources: list[Any] = []
    for name in names:
        sources += stdlib_sources() if name == PYTHON else [Path(name)]
    if tokenizer == BYTES:
        options["vocab_size"] = VOCAB_BYTES
    elif tokenizer != BPE:
        options["tokenizer"] = Tokenizer.load(Path(tokenizer))
    with Progress() as bar:
        return run(sources, out, progress=bar.report, notice=_say_cut, **options)


def _say_cut(words: str) -> None:
    say(f"{words}: raise --bytes-max, or `data.text_bytes_max` of a run.toml, for more")


def _weighted(part: str) -> tuple[Path, int]:
    name, found, weight = part.rpartition("=")
    if not name or not found or not weight.isascii() or not weight.isdigit():
        raise CommandError(f"`{part}` names no weight", hint="write DATA=WEIGHT, such as books=3")
    return Path(name), int(weight)


def _facts(manifest: Manifest) -> dict[str, Any]:
    mixture = manifest.mixture(manifest.sequence_tokens)
    parts = zip(mixture.weights, mixture.counts, strict=True)
    return {
        "sequences": manifest.sequences,
        "sequence_tokens": manifest.sequence_tokens,
        "train_tokens": manifest.train.tokens,
        "validation_tokens": manifest.val.tokens,
        "vocabulary_tokens": manifest.vocab_size,
        "merkle_root": manifest.merkle_root().hex(),
        "tokenizer_sha256": manifest.tokenizer_sha256.hex(),
        "sources": len(manifest.sources),
        "mixture": [{"weight": w, "sequences": n} for w, n in parts] if manifest.parts else [],
    }


def _show(manifest: Manifest, folder: Path, *, json: bool) -> None:
    facts = _facts(manifest)
    if json:
        put_json(facts)
        return
    size = (manifest.train.tokens + manifest.val.tokens) * manifest.item_bytes
    say(f"{folder}: {count_bytes(size)} of tokens")
    facts["mixture"] = ", ".join(
        "weight {weight}: {sequences} sequences".format(**part) for part in facts["mixture"]
    )
    for name, value in facts.items():
        if value != "":
            put(f"{name:<20} {value}")


def _check(folder: Path) -> None:
    import numpy as np  # noqa: PLC0415 - a page of help needs no numpy

    from psyche_client.data.shards import Shards  # noqa: PLC0415 - as above

    with Progress() as bar:
        splits: tuple[Literal["train"], Literal["val"]] = ("train", "val")
        for split in splits:
            shards = Shards(folder, split=split)
            step = 4_096
            for start in range(0, shards.count, step):
                shards.sequences(np.arange(start, min(start + step, shards.count)))
                bar.report(f"checking {split}", start, shards.count)
    say("every block is what the manifest says")


def _show_text(folder: Path, count: int) -> None:
    import numpy as np  # noqa: PLC0415 - a page of help needs no numpy

    from psyche_client.data.shards import Shards  # noqa: PLC0415 - as above

    shards = Shards(folder)
    tokenizer = shards.tokenizer()
    for ids in shards.sequences(np.arange(min(count, shards.count))):
        put_text(f"--- {tokenizer.decode([int(one) for one in ids])}")
