"""Both kinds of model against transformers' own, against themselves, and their text."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from psyche_client.data.tokenizer import Tokenizer
from psyche_client.model.checkpoint import export_hf, import_hf
from psyche_client.model.config import LlamaConfig, ModelConfig
from psyche_client.model.errors import ModelError
from psyche_client.model.generate import generate
from psyche_client.model.hf import config_to_hf
from psyche_client.model.init import initial_parameters
from psyche_client.model.layers import Cache
from psyche_client.model.lm import CausalLM, build, load, parameters_of
from psyche_client.model.presets import PRESETS, preset

#: Some run torch on shapes alone, which imports for seconds.
pytestmark = pytest.mark.xdist_group("shapes")

TINY = preset("tiny")
LLAMA = LlamaConfig(
    vocab_size=512,
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
)
SHAPES = {
    "queries compressed": TINY,
    "queries not compressed": replace(TINY, q_lora_rank=None),
    "head tied": replace(TINY, tie_word_embeddings=True),
    "value wider than key": replace(TINY, v_head_dim=48, rms_norm_eps=1e-5, rope_theta=500.0),
    "llama": LLAMA,
    "llama, head tied": replace(
        LLAMA, num_key_value_heads=4, tie_word_embeddings=True, rms_norm_eps=1e-5, rope_theta=500.0
    ),
}


def model_of(config: ModelConfig, deviation: float = 0.3) -> CausalLM:
    # Larger than a real start, so that attention is far from uniform and mistakes show.
    return build(
        config, initial_parameters(replace(config, initializer_range=deviation), bytes(32))
    )


def tokens_of(config: ModelConfig, batch: int, length: int) -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, config.vocab_size, (batch, length))
    )


@pytest.mark.parametrize("config", (SHAPES | PRESETS).values(), ids=(SHAPES | PRESETS).keys())
def test_parameter_names_and_shapes_follow_from_the_config_alone(config: ModelConfig) -> None:
    with torch.device("meta"):
        model = CausalLM(config)
    found = {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}
    assert found == config.parameter_shapes()


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_transformers_opens_an_export_and_gives_the_same_logits(
    config: ModelConfig, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    model = model_of(config)
    export_hf(tmp_path, config, parameters_of(model))
    other, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, output_loading_info=True, dtype=torch.float32
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    tokens = tokens_of(config, 2, 37)
    with torch.no_grad():
        ours, theirs = model(tokens), other(tokens).logits
    assert ours.dtype == torch.float32
    assert ours.std() > 0.1
    assert (ours - theirs).abs().max() < 1e-5


@pytest.mark.parametrize("config", [TINY, LLAMA], ids=["mla", "llama"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_checkpoint_saved_by_transformers_opens_here(config: ModelConfig, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    other = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(**config_to_hf(config))
    )
    other.save_pretrained(tmp_path)
    found, parameters = import_hf(tmp_path)
    assert found.parameter_shapes() == config.parameter_shapes()
    model = build(found, parameters)
    tokens = tokens_of(config, 1, 16)
    with torch.no_grad():
        assert (model(tokens) - other(tokens).logits).abs().max() < 1e-5


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_decoding_by_the_cache_equals_the_full_forward_pass(config: ModelConfig) -> None:
    model, tokens = model_of(config, 0.15), tokens_of(config, 2, 24)
    cache = Cache()
    with torch.no_grad():
        whole = model(tokens)
        parts = [model(tokens[:, :9], cache), model(tokens[:, 9:13], cache)]
        parts += [model(tokens[:, at : at + 1], cache) for at in range(13, 24)]
    assert cache.length() == 24
    assert sum(part[:1, ..., :1, :].numel() for part in cache.parts[0]) == config.cache_elements
    assert (torch.cat(parts, dim=1) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("config", [TINY, LLAMA], ids=["mla", "llama"])
def test_no_token_sees_a_later_one(config: ModelConfig) -> None:
    model, tokens = model_of(config), tokens_of(config, 1, 20)
    changed = tokens.clone()
    changed[0, 12] = (changed[0, 12] + 1) % config.vocab_size
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    assert torch.equal(before[0, :12], after[0, :12])
    assert not torch.equal(before[0, 12:], after[0, 12:])


def test_loss_is_the_mean_of_next_token_surprise() -> None:
    model, sequences = model_of(TINY), tokens_of(TINY, 3, 11)
    with torch.no_grad():
        surprise = -model(sequences)[:, :-1].log_softmax(-1)
        by_hand = surprise.gather(-1, sequences[:, 1:, None]).mean()
        assert abs(float(model.loss(sequences)) - float(by_hand)) < 1e-5


def test_an_untrained_model_guesses_evenly() -> None:
    config = preset("demo")
    model = build(config, initial_parameters(config, bytes(32)))
    with torch.no_grad():
        loss = float(model.loss(tokens_of(config, 2, 65)))
    assert abs(loss - np.log(config.vocab_size)) < 0.3


@pytest.mark.parametrize("config", [TINY, LLAMA], ids=["mla", "llama"])
def test_gradients_are_equal_in_every_bit_when_layers_are_recomputed(config: ModelConfig) -> None:
    found = []
    for recomputes in (False, True):
        model = model_of(config)
        model.model.recomputes = recomputes
        model.loss(tokens_of(config, 4, 33)).backward()
        found.append([tensor.grad for tensor in model.parameters()])
    assert all(torch.equal(first, second) for first, second in zip(*found, strict=True))
    assert all(bool((grad != 0).any()) for grad in found[0])


def test_too_many_tokens_are_refused() -> None:
    model = build(TINY, initial_parameters(TINY, bytes(32)))
    with pytest.raises(ModelError, match="max_position_embeddings"):
        model(torch.zeros(1, TINY.max_position_embeddings + 1, dtype=torch.long))


def test_parameters_of_another_shape_are_refused() -> None:
    parameters = initial_parameters(TINY, bytes(32))
    model = build(TINY, parameters)
    with pytest.raises(ModelError, match=r"lm_head\.weight"):
        load(model, {k: v for k, v in parameters.items() if k != "lm_head.weight"})
    with pytest.raises(ModelError, match=r"model\.norm\.weight"):
        load(model, parameters | {"model.norm.weight": np.ones(3, dtype=np.float32)})


def test_a_built_model_does_not_share_memory_with_its_source() -> None:
    parameters = initial_parameters(TINY, bytes(32))
    model = build(TINY, parameters)
    parameters["model.norm.weight"][:] = 7
    assert parameters_of(model)["model.norm.weight"].max() == 1


def test_generation_repeats_with_its_seed_and_differs_with_another() -> None:
    model, tokenizer = model_of(TINY), Tokenizer.train(["def f(x): return x"] * 3, 300)
    first = generate(model, tokenizer, "def", 12, seed=5)
    assert first == generate(model, tokenizer, "def", 12, seed=5)
    assert first != generate(model, tokenizer, "def", 12, seed=6)
    assert first.startswith("def")


def test_generation_at_temperature_zero_takes_the_likeliest_token() -> None:
    model, tokenizer = model_of(TINY), Tokenizer.train([], 257)
    ids = tokenizer.encode("abc")
    with torch.no_grad():
        likeliest = int(model(torch.tensor([ids]))[0, -1].argmax())
    text = generate(model, tokenizer, "abc", 1, seed=1, temperature=0)
    assert text == "abc" + tokenizer.decode([likeliest] if likeliest else [])


def test_generation_ends_where_positions_end() -> None:
    config = replace(TINY, max_position_embeddings=8)
    model, tokenizer = model_of(config), Tokenizer.train([], 257)
    generate(model, tokenizer, "a prompt longer than all positions", 40, seed=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_transformers_reads_an_exported_tokenizer_as_ours(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer, text = (
        Tokenizer.train(["def f(x): return x\n"] * 3, 280),
        "def g(y):\n\treturn \u00e9",
    )
    (tmp_path / "mine.json").write_text(tokenizer.text, encoding="utf-8", newline="")
    export_hf(
        tmp_path / "out", TINY, parameters_of(model_of(TINY)), tokenizer=tmp_path / "mine.json"
    )
    other = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert other(text).input_ids == tokenizer.encode(text)
    assert other.decode(other(text).input_ids) == text


def saved_bytes(model: CausalLM, sequences: torch.Tensor) -> int:
    """What autograd keeps of a forward pass, beside the parameters."""
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.loss(sequences)
    return sum(kept.values())


def test_recomputed_layers_keep_little_of_the_forward_pass() -> None:
    model = model_of(replace(TINY, num_hidden_layers=8))
    whole = saved_bytes(model, tokens_of(TINY, 2, 65))
    model.model.recomputes = True
    assert saved_bytes(model, tokens_of(TINY, 2, 65)) < whole / 3


def test_a_gradient_of_bfloat16_computing_is_float32_and_near() -> None:
    found = []
    for enabled in (False, True):
        model = model_of(TINY, 0.05)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = model.loss(tokens_of(TINY, 2, 33))
        loss.backward()
        assert all(p.grad.dtype == torch.float32 for p in model.parameters())
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    error = (found[0] - found[1]).norm() / found[0].norm()
    assert 1e-6 < error < 0.03
