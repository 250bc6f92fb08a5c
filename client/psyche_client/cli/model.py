"""`psyche model`: look at a model, let it write, hand it on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.output import count_bytes, put, put_json, put_text, say
from psyche_client.cli.settings import Bfloat16, Json, MicroBatch, Recompute
from psyche_client.options import Compute

if TYPE_CHECKING:
    from psyche_client.model.config import ModelConfig
    from psyche_client.model.document import ModelDocument

app = typer.Typer(
    help="Look at a model, let it write, hand it on.", no_args_is_help=True, rich_markup_mode=None
)

Document = Annotated[Path, typer.Argument(metavar="MODEL.JSON", help="What the run trains.")]
Weights = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="A client's model.safetensors.")
]
TokenizerFile = Annotated[
    Path, typer.Option("--tokenizer", metavar="FILE", help="tokenizer.json of the data.")
]
FLOAT32_BYTES = 4
TOPK = 32
CHAIN_HASH_BYTES = 32


@app.command()
def inspect(document: Document, json: Json = False) -> None:
    """Say what a model.json describes: dimensions, parameters, update rule, data."""
    found = _document(document)
    count = found.architecture.parameter_count()
    facts = {
        "sha256": found.sha256().hex(),
        "parameters": count,
        "architecture": found.architecture.to_dict(),
        "update_rule": dict(found.update_rule),
        "schedule": dict(found.schedule),
        "sequences": found.data.sequences,
        "sequence_tokens": found.data.sequence_tokens,
        "data_merkle_root": found.data.merkle_root.hex(),
        "tokenizer_sha256": found.tokenizer_sha256.hex(),
    }
    if json:
        put_json(facts)
        return
    say(f"{count:,} parameters, {count_bytes(count * FLOAT32_BYTES)} as float32")
    for name, value in facts.items():
        for key, item in (value if isinstance(value, dict) else {"": value}).items():
            put(f"{'.'.join(filter(None, (name, key))):<40} {item}")


@app.command()
def plan(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A preset's name or model.json.")],
    *,
    topk: Annotated[
        int | None, typer.Option(min=1, max=4_096, help="Sent of each 4,096 [the file's, or 32].")
    ] = None,
    members: Annotated[int, typer.Option(min=1, max=1_024, help="Of the training run.")] = 16,
    sequences: Annotated[int, typer.Option(min=1, max=4_096, help="In a backward pass.")] = 1,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="In a sequence [the model's positions].")
    ] = None,
    json: Json = False,
) -> None:
    """Say what a model needs: memory to train and to run it, bytes and seconds a round."""
    from psyche_client.cli import plan as pages  # noqa: PLC0415 - it imports torch

    config, own_topk, value_bits, moments = _planned(model)
    found = pages.make(
        config,
        topk=topk or own_topk,
        value_bits=value_bits,
        moments=moments,
        members=members,
        sequences=sequences,
        tokens=tokens or config.max_position_embeddings,
    )
    if json:
        put_json(found)
        return
    for line in pages.text(found):
        put(line)


@app.command()
def generate(
    document: Document,
    checkpoint: Weights,
    *,
    tokenizer: TokenizerFile,
    prompt: Annotated[str, typer.Option(help="Text to go on from.")] = "def ",
    tokens: Annotated[int, typer.Option(min=1, max=100_000, help="Tokens to write.")] = 100,
    temperature: Annotated[float, typer.Option(min=0, max=10, help="0: the likeliest.")] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same text.")] = 0,
) -> None:
    """Let a trained model go on from a prompt."""
    from psyche_client.data.tokenizer import Tokenizer  # noqa: PLC0415 - a page of help is light
    from psyche_client.model.checkpoint import load  # noqa: PLC0415 - as above
    from psyche_client.model.generate import generate as write  # noqa: PLC0415 - as above
    from psyche_client.model.lm import build  # noqa: PLC0415 - it imports torch

    found = _document(document)
    codec = Tokenizer.load(tokenizer)
    if codec.sha256 != found.tokenizer_sha256:
        raise CommandError(
            f"{tokenizer} is not the tokenizer of this model",
            hint="name the tokenizer.json of the data that it was trained on",
            code=Code.DATA,
        )
    model = build(found.architecture, load(checkpoint).parameters)
    put_text(write(model, codec, prompt, tokens, seed=seed, temperature=temperature))


@app.command()
def export(
    document: Document,
    checkpoint: Weights,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Where the model goes.")],
    *,
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="tokenizer.json to put beside it.")
    ] = None,
) -> None:
    """Write a checkpoint as a folder that Hugging Face's transformers opens."""
    from psyche_client.model.checkpoint import export_hf, load  # noqa: PLC0415 - a page of help is light

    found = _document(document)
    export_hf(out, found.architecture, load(checkpoint).parameters, tokenizer=tokenizer)
    say(f"wrote {out}: open it with transformers' AutoModelForCausalLM.from_pretrained")


@app.command()
def anneal(
    source: Annotated[
        Path, typer.Argument(metavar="DIR", help="Of a client: model.json, model.safetensors.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder for the new model.")],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Prepared data of its tokenizer.")],
    steps: Annotated[
        int, typer.Option(min=0, max=2**31, help="Until the rate is 0 [a tenth of the model's].")
    ] = 0,
    sequences: Annotated[int, typer.Option(min=1, max=1 << 20, help="Of each step.")] = 32,
    micro_batch: MicroBatch = 8,
    bf16: Bfloat16 = False,
    recompute: Recompute = False,
    json: Json = False,
) -> None:
    """Anneal a run's checkpoint, alone on this machine, into a second, smoothed model.

    The learning rate falls from the run's to 0. The run's schedule must be wsd or constant, and the
    checkpoint from before its decay. The run and its folder stay as they are.
    """
    from psyche_client.annealing import Plan, anneal  # noqa: PLC0415 - it imports torch
    from psyche_client.cli.progress import Progress  # noqa: PLC0415 - a page of help is light

    if out.exists() and any(out.iterdir()):
        raise CommandError(f"{out} is not empty", hint="name a folder that is new")
    compute = Compute(micro_batch=micro_batch, bfloat16=bf16, recompute=recompute)
    plan = Plan(steps=steps, sequences=sequences, compute=compute)
    with Progress() as bar:
        found = anneal(source, out, data, plan, lambda done, of: bar.report("steps", done, of))
    if json:
        put_json(found)
        return
    put(f"held-out loss before {found['validation_loss_before']:.4f} nats")
    put(f"held-out loss after  {found['validation_loss_after']:.4f} nats")
    say(f"wrote {out}: {found['steps']} steps of {found['sequences']} sequences")


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="As save_pretrained writes it.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the checkpoint goes.")],
    *,
    step: Annotated[int, typer.Option(min=0, max=2**40, help="The step that it trains next.")] = 0,
) -> None:
    """Write a model of Hugging Face's transformers as a checkpoint, and print its digest."""
    from psyche_client.model.checkpoint import import_hf, save  # noqa: PLC0415 - a page of help is light

    _, parameters = import_hf(folder)
    put(save(out, parameters, step=step, chain_hash=bytes(CHAIN_HASH_BYTES)).hex())


@app.command()
def restamp(
    checkpoint: Weights,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the new checkpoint goes.")],
    *,
    step: Annotated[int, typer.Option(min=0, max=2**40, help="The step that it trains next.")],
) -> None:
    """Write a checkpoint as one of another step, and print the digest that it has there."""
    from psyche_client.model.checkpoint import load, save  # noqa: PLC0415 - a page of help is light

    found = load(checkpoint)
    put(save(out, found.parameters, step=step, chain_hash=found.chain_hash).hex())


def _planned(model: str) -> tuple[ModelConfig, int, int, str]:
    """The configuration that a name or a file gives, and three numbers of its rule.

    They are what is sent of 4,096, the bits of each, and what becomes of local steps' moments.
    """
    from psyche_client.model.presets import PRESETS, preset  # noqa: PLC0415 - a page of help is light
    from psyche_client.optim.rule import UpdateRule  # noqa: PLC0415 - so is this

    if model in PRESETS:
        return preset(model), TOPK, 1, ""
    if not Path(model).is_file():
        raise CommandError(
            f"`{model}` is neither a preset nor a file", hint=f"a preset is {', '.join(PRESETS)}"
        )
    found = _document(Path(model))
    rule = UpdateRule.from_value({**found.update_rule, "schedule": dict(found.schedule)})
    moments = rule.local_state if rule.is_local else ""
    return found.architecture, rule.topk_max, rule.value_bits, moments


def _document(path: Path) -> ModelDocument:
    from psyche_client.model.document import ModelDocument  # noqa: PLC0415 - a page of help is light

    return ModelDocument.decode(path.read_bytes())
