"""Checkpoints are whole or absent, and never trusted unread."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.model import checkpoint
from psyche_client.model.checkpoint import (
    export_hf,
    import_hf,
    load,
    load_tensors,
    save,
    save_tensors,
)
from psyche_client.model.digest import digest_of
from psyche_client.model.errors import CheckpointError
from psyche_client.model.hf import config_from_hf, config_to_hf
from psyche_client.model.init import initial_parameters
from psyche_client.model.presets import preset

CHAIN_HASH = b"\x11" * 32
PARAMETERS = initial_parameters(preset("tiny"), bytes(32))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "model.safetensors"
    save(path, PARAMETERS, step=12, chain_hash=CHAIN_HASH)
    return path


def test_a_checkpoint_reads_back_in_every_bit(saved: Path) -> None:
    found = load(saved, expected_digest=digest_of(PARAMETERS, 12))
    assert (found.step, found.chain_hash) == (12, CHAIN_HASH)
    assert found.digest == digest_of(PARAMETERS, 12)
    assert list(found.parameters) == sorted(PARAMETERS)
    assert all(np.array_equal(found.parameters[name], PARAMETERS[name]) for name in PARAMETERS)


def test_saving_leaves_no_other_file(saved: Path) -> None:
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_the_same_parameters_give_the_same_file(saved: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for path in files:
        save(path, PARAMETERS, step=12, chain_hash=CHAIN_HASH)
    assert {path.read_bytes() for path in files} == {saved.read_bytes()}


def test_parameters_in_another_memory_layout_are_saved_as_they_read(tmp_path: Path) -> None:
    turned = {"w": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    save(tmp_path / "x", turned, step=0, chain_hash=CHAIN_HASH)
    assert np.array_equal(load(tmp_path / "x").parameters["w"], turned["w"])


def test_one_flipped_bit_is_found(saved: Path) -> None:
    raw = bytearray(saved.read_bytes())
    raw[-1] ^= 1
    saved.write_bytes(raw)
    with pytest.raises(CheckpointError, match="digest") as caught:
        load(saved)
    assert caught.value.hint


def test_another_step_than_the_digest_says_is_found(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(b'"step":"12"', b'"step":"13"'))
    with pytest.raises(CheckpointError, match="digest"):
        load(saved)


def test_a_whole_checkpoint_of_another_digest_is_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="digest"):
        load(saved, expected_digest=bytes(32))


@pytest.mark.parametrize("kept", [0, 5, 8, 100, 5_000, -1])
def test_a_truncated_checkpoint_is_refused(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="not a whole"):
        load(saved)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff" * 100,
        (2).to_bytes(8, "little") + b"[]",
        (60_000).to_bytes(8, "little") + b"[" * 60_000,
        (20).to_bytes(8, "little") + b'{"__metadata__":[1]}',
    ],
    ids=range(4),
)
def test_bytes_of_another_kind_are_refused(saved: Path, raw: bytes) -> None:
    saved.write_bytes(raw)
    with pytest.raises(CheckpointError):
        load(saved)


def test_a_missing_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load(tmp_path / "none")


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"step": "x", "digest": "00" * 32, "chain_hash": "00" * 32},
        {"step": "-1", "digest": "00" * 32, "chain_hash": "00" * 32},
        {"step": "1", "digest": "00", "chain_hash": "00" * 32},
        {"step": "9" * 9000, "digest": "00" * 32, "chain_hash": "00" * 32},
    ],
    ids=range(5),
)
def test_a_file_without_proper_metadata_is_no_checkpoint(
    tmp_path: Path, metadata: dict[str, str]
) -> None:
    save_tensors(tmp_path / "x", PARAMETERS, metadata)
    with pytest.raises(CheckpointError, match="step, digest or chain hash"):
        load(tmp_path / "x")


def test_a_full_disk_keeps_the_checkpoint_before(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "_sync", full)
    with pytest.raises(CheckpointError, match="disk is full") as caught:
        save(saved, PARAMETERS, step=13, chain_hash=CHAIN_HASH)
    monkeypatch.undo()
    assert caught.value.hint
    assert load(saved).step == 12
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_write_that_the_system_stops_half_way_is_reported_as_a_full_disk(saved: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(CheckpointError, match="disk is full"):
            save(saved, PARAMETERS, step=13, chain_hash=CHAIN_HASH)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load(saved).step == 12
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_path_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot write"):
        save(tmp_path / "file" / "x", PARAMETERS, step=1, chain_hash=CHAIN_HASH)


def test_a_folder_in_the_way_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load(tmp_path)


def test_other_tensors_keep_their_type_and_metadata(tmp_path: Path) -> None:
    tensors = {"momentum": np.arange(4, dtype=np.int64), "a": np.ones(2, dtype=np.float32)}
    save_tensors(tmp_path / "x", tensors, {"round": "3"})
    found, metadata = load_tensors(tmp_path / "x")
    assert metadata == {"round": "3"}
    assert list(found) == ["a", "momentum"]
    assert found["momentum"].dtype == np.int64


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_export_in_parts_and_any_float_comes_back_as_a_checkpoint(
    dtype: torch.dtype, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = preset("llama-demo")
    parameters = initial_parameters(config, bytes(32))
    (tmp_path / "config.json").write_text(json.dumps(config_to_hf(config)))
    tensors = {name: torch.from_numpy(value).to(dtype) for name, value in parameters.items()}
    for number in (0, 1):
        part = {name: tensors[name] for name in sorted(tensors)[number::2]}
        save_file(part, tmp_path / f"model-0000{number}-of-00001.safetensors")

    assert run(["model", "import", str(tmp_path), str(tmp_path / "out"), "--step", "7"]) == Code.OK

    found = load(tmp_path / "out")
    assert capsys.readouterr().out.strip() == found.digest.hex()
    assert found.step == 7
    for name, value in found.parameters.items():
        assert np.array_equal(value, tensors[name].float().numpy())


@pytest.mark.parametrize("what", ["nothing", "no json", "a list", "no tensors", "another shape"])
def test_a_folder_that_is_no_whole_model_is_refused(what: str, tmp_path: Path) -> None:
    config = preset("tiny")
    export_hf(tmp_path, config, initial_parameters(config, bytes(32)))
    match what:
        case "nothing":
            (tmp_path / "config.json").unlink()
        case "no json":
            (tmp_path / "config.json").write_text("{")
        case "a list":
            (tmp_path / "config.json").write_text("[]")
        case "no tensors":
            (tmp_path / "model.safetensors").unlink()
        case "another shape":
            other = config_to_hf(replace(config, hidden_size=32))
            (tmp_path / "config.json").write_text(json.dumps(other))
    with pytest.raises(CheckpointError):
        import_hf(tmp_path)


def test_an_export_holds_what_transformers_looks_for(tmp_path: Path) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text("{}")
    export_hf(tmp_path / "out", preset("tiny"), PARAMETERS, tokenizer=tokenizer)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json"]
    values = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config_from_hf(values) == preset("tiny")
