"""`psyche data mix`: prepared data sets become one, by weight, with no token made anew."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from psyche_client.store import write_durably

from .errors import DataError
from .journal import JOURNAL_NAME
from .manifest import MANIFEST_NAME, TOKENIZER_NAME, Manifest, Part, Split
from .mixture import SEQUENCES_MAX, WEIGHT_MAX
from .shards import Shards


def mix(parts: Sequence[tuple[Path, int]], out_dir: Path) -> Manifest:
    """Make a mixture in `out_dir` of prepared data sets and their weights, in this order.

    Shards are linked where the disk can, else copied. The held-out shards follow one another.

    Raises:
        DataError: a data set is missing, is a mixture, or is unlike the first; a weight is out of
            range; or `out_dir` holds other data.
    """
    read = [_read(folder, weight) for folder, weight in parts]
    if len(read) < 2:  # noqa: PLR2004 - a mixture is of several
        raise DataError("a mixture needs two data sets or more", hint="write DIR=WEIGHT for each")
    for (folder, _), one in zip(parts, read, strict=True):
        _check_like(folder, one, read[0], parts[0][0])
    manifest = _mixed(read, [weight for _, weight in parts])
    if manifest.sequences > SEQUENCES_MAX:
        raise DataError(
            f"the mixture would have {manifest.sequences} sequences, {SEQUENCES_MAX} at most",
            hint="choose weights nearer to the sizes of the data sets",
        )
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        _check_free(out_dir, manifest)
        for number, ((folder, _), one) in enumerate(zip(parts, read, strict=True)):
            for shard in (*one.train.shards, *one.val.shards):
                _link(folder / shard.name, out_dir / _name(number, shard.name))
        _link(parts[0][0] / TOKENIZER_NAME, out_dir / TOKENIZER_NAME)
        write_durably(out_dir / MANIFEST_NAME, manifest.encode())
    except OSError as error:
        raise DataError(
            f"{out_dir}: cannot write the mixture ({error.strerror or error})",
            hint="check the folder's rights and the free space of its disk",
        ) from error
    return manifest


def _read(folder: Path, weight: int) -> Manifest:
    if not 1 <= weight <= WEIGHT_MAX:
        raise DataError(f"the weight of {folder} is {weight}", hint=f"write 1 to {WEIGHT_MAX}")
    manifest = Shards(folder).manifest  # which also finds shards that are cut
    Shards(folder, split="val").tokenizer()
    if manifest.parts:
        raise DataError(
            f"{folder} is a mixture itself", hint="name the data sets that it was made of"
        )
    if not manifest.sequences:
        raise DataError(f"{folder} has no whole sequence", hint="prepare more text")
    return manifest


def _check_like(folder: Path, one: Manifest, first: Manifest, first_folder: Path) -> None:
    if one.tokenizer_sha256 != first.tokenizer_sha256:
        raise DataError(
            f"{folder} was made with another tokenizer than {first_folder}",
            hint=f"prepare it again with `--tokenizer {first_folder / TOKENIZER_NAME}`",
        )
    if one.sequence_tokens != first.sequence_tokens:
        raise DataError(
            f"{folder} has sequences of {one.sequence_tokens} tokens, {first_folder} of "
            f"{first.sequence_tokens}",
            hint=f"prepare it again with `--sequence-tokens {first.sequence_tokens}`",
        )


def _mixed(read: Sequence[Manifest], weights: Sequence[int]) -> Manifest:
    def renamed(split: str) -> Split:
        return Split(
            tuple(
                replace(shard, name=_name(number, shard.name))
                for number, one in enumerate(read)
                for shard in getattr(one, split).shards
            )
        )

    parts = (Part(w, len(one.train.shards)) for w, one in zip(weights, read, strict=True))
    return replace(
        read[0],
        train=renamed("train"),
        val=renamed("val"),
        sources=tuple(f"{n}/{source}" for n, one in enumerate(read) for source in one.sources),
        parts=tuple(parts),
    )


def _name(part: int, shard: str) -> str:
    return f"{part}-{shard}"


def _check_free(folder: Path, manifest: Manifest) -> None:
    old = folder / MANIFEST_NAME
    other = old.exists() and old.read_bytes() != manifest.encode()
    if other or (folder / JOURNAL_NAME).exists():
        raise DataError(f"{folder} holds other data already", hint="name another folder")


def _link(source: Path, target: Path) -> None:
    """A second name of the file, or a copy of it; whole or not there."""
    temporary = target.with_name(target.name + ".part")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # two names of one file are not replaced by each other
