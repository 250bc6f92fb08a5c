"""`psyche data` and `psyche model`: from text files to text that a model writes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.data.manifest import Manifest
from psyche_client.model.checkpoint import save
from psyche_client.model.config import MlaConfig
from psyche_client.model.document import DataSection, ModelDocument
from psyche_client.model.init import initial_parameters
from psyche_client.optim import UpdateRule

SHAPE = MlaConfig(
    vocab_size=300,
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=1,
    num_attention_heads=1,
    kv_lora_rank=16,
    qk_nope_head_dim=16,
    qk_rope_head_dim=16,
    v_head_dim=16,
    max_position_embeddings=64,
)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of forty short text files."""
    folder = tmp_path_factory.mktemp("texts")
    for number in range(40):
        words = " ".join(f"word{(number * 7 + i * 3) % 50}" for i in range(120))
        (folder / f"{number:02}.txt").write_text(words + "\n")
    return folder


@pytest.fixture(scope="module")
def data(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as training data."""
    folder = tmp_path_factory.mktemp("data")
    options = ["--vocabulary", "300", "--sequence-tokens", "16", "--held-out-percent", "20"]
    assert run(["data", "prepare", str(folder), str(texts), *options]) == Code.OK
    return folder


@pytest.mark.parametrize(("most", "said"), [(3_000, True), (1_000_000, False)])
def test_text_that_is_left_out_is_told(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], most: int, *, said: bool
) -> None:
    line = ["data", "prepare", str(tmp_path / "out"), str(texts), "--tokenizer", "bytes"]
    assert run([*line, "--bytes-max", str(most), "--sequence-tokens", "16"]) == Code.OK
    assert (f"only the first {most:,} bytes of text" in capsys.readouterr().err) == said


@pytest.fixture
def model(data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A model.json and a checkpoint of its first parameters."""
    manifest = Manifest.read(data)
    document = ModelDocument(
        architecture=SHAPE,
        init_seed=bytes(32),
        update_rule=UpdateRule().to_value(),
        schedule=UpdateRule().schedule.to_value(),
        tokenizer_sha256=manifest.tokenizer_sha256,
        data=DataSection(sequence_tokens=16, sequences=9, merkle_root=manifest.merkle_root()),
    )
    (tmp_path / "model.json").write_bytes(document.encode())
    parameters = initial_parameters(SHAPE, bytes(32))
    save(tmp_path / "model.safetensors", parameters, step=0, chain_hash=bytes(32))
    return tmp_path / "model.json", tmp_path / "model.safetensors"


def test_prepared_data_says_what_is_in_it(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "inspect", str(data), "--check", "--json"]) == Code.OK

    facts = json.loads(capsys.readouterr().out)
    assert facts["sequences"] == Manifest.read(data).sequences > 0
    assert facts["vocabulary_tokens"] == 300


def test_prepared_data_can_be_read_as_text(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["data", "inspect", str(data), "--text", "2"])

    assert capsys.readouterr().out.count("--- ") == 2


def test_a_run_s_file_gives_all_the_numbers(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.toml").write_text(
        f'[run]\nid = "tiny"\n[rounds]\ntotal_steps = 9\n[data]\nsource = "{texts}"\n'
        "vocabulary_tokens = 280\nheld_out_percent = 20\n"
        "[training]\nsequence_tokens = 8\n"
    )

    arguments = ["data", "prepare", str(tmp_path / "out"), "--run", str(tmp_path / "run.toml")]
    assert run([*arguments, "--json"]) == Code.OK

    facts = json.loads(capsys.readouterr().out)
    assert (facts["vocabulary_tokens"], facts["sequence_tokens"]) == (280, 8)


@pytest.mark.parametrize("kind", ["bytes", "of another corpus"])
def test_a_tokenizer_can_be_chosen(
    data: Path, texts: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "bytes" if kind == "bytes" else str(data / "tokenizer.json")
    options = ["--tokenizer", name, "--sequence-tokens", "16", "--held-out-percent", "20"]
    assert run(["data", "prepare", str(tmp_path), str(texts), *options, "--json"]) == Code.OK
    assert json.loads(capsys.readouterr().out)["vocabulary_tokens"] == (
        257 if kind == "bytes" else 300
    )


def test_json_lines_are_read_from_the_field_that_is_named(tmp_path: Path) -> None:
    lines = [json.dumps({"body": f"text {i} " * 9}) for i in range(40)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    options = ["--field", "body", "--tokenizer", "bytes", "--held-out-percent", "20"]
    arguments = ["data", "prepare", str(tmp_path / "out"), str(tmp_path / "a.jsonl")]
    assert run([*arguments, *options]) == Code.OK
    assert Manifest.read(tmp_path / "out").sources == ("a.jsonl",)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_a_bar_is_drawn_on_a_terminal_alone_and_never_on_stdout(
    texts: Path, tmp_path: Path, kind: type[io.StringIO], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", shown := kind())
    options = ["--tokenizer", "bytes", "--sequence-tokens", "16", "--held-out-percent", "20"]
    assert run(["data", "prepare", str(tmp_path), str(texts), *options, "--json"]) == Code.OK
    assert json.loads(capsys.readouterr().out)["vocabulary_tokens"] == 257
    bars = [word for word in ("reading", "tokenizer", "shards") if word in shown.getvalue()]
    assert bars == (["reading", "tokenizer", "shards"] if kind is Terminal else [])


def test_a_corpus_that_is_missing_is_one_line_and_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "prepare", str(tmp_path / "out"), str(tmp_path / "none")]) == Code.DATA

    shown = capsys.readouterr().err
    assert f"error: {tmp_path / 'none'}: no such file or folder" in shown
    assert "hint: name text files" in shown


def test_a_shard_that_was_changed_is_found(
    texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--vocabulary", "300", "--sequence-tokens", "16", "--held-out-percent", "20"]
    run(["data", "prepare", str(tmp_path), str(texts), *options])
    (shard,) = tmp_path.glob("train-*.bin")
    content = bytearray(shard.read_bytes())
    content[4] ^= 1
    shard.write_bytes(content)
    capsys.readouterr()

    assert run(["data", "inspect", str(tmp_path), "--check"]) == Code.DATA

    assert capsys.readouterr().err.startswith("error: ")


def test_a_model_s_document_is_shown_in_full(
    model: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["model", "inspect", str(model[0]), "--json"]) == Code.OK

    facts = json.loads(capsys.readouterr().out)
    assert facts["parameters"] == SHAPE.parameter_count()
    assert facts["update_rule"]["topk"] == 32


def test_the_same_seed_writes_the_same_text(
    model: tuple[Path, Path], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["model", "generate", *map(str, model), "--tokenizer", str(data / "tokenizer.json")]
    written = []
    for _ in range(2):
        assert run([*arguments, "--prompt", "word1", "--tokens", "8"]) == Code.OK
        written.append(capsys.readouterr().out)

    assert written[0] == written[1]
    assert written[0].startswith("word1")


def test_a_tokenizer_of_another_model_is_refused(
    model: tuple[Path, Path], texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    run(["data", "prepare", str(other), str(texts), "--vocabulary", "270"])

    arguments = ["model", "generate", *map(str, model)]
    assert run([*arguments, "--tokenizer", str(other / "tokenizer.json")]) == Code.DATA

    assert "is not the tokenizer of this model" in capsys.readouterr().err


def test_an_exported_model_has_the_files_that_transformers_opens(
    model: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hf"
    tokenizer = str(data / "tokenizer.json")

    assert run(["model", "export", *map(str, model), str(out), "--tokenizer", tokenizer]) == Code.OK

    assert {path.name for path in out.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert json.loads((out / "config.json").read_text())["hidden_size"] == 32


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", bytes(100)])
def test_a_file_that_is_no_model_is_one_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.json").write_bytes(content)

    assert run(["model", "inspect", str(tmp_path / "model.json")]) == Code.DATA

    assert "Traceback" not in capsys.readouterr().err


def test_a_checkpoint_cut_short_is_one_line(
    model: tuple[Path, Path], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = model[1].read_bytes()
    model[1].write_bytes(whole[: len(whole) // 2])

    arguments = ["model", "generate", *map(str, model)]
    assert run([*arguments, "--tokenizer", str(data / "tokenizer.json")]) == Code.DATA

    assert capsys.readouterr().err.startswith("error: ")
