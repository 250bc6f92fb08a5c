"""How much memory a gradient keeps of its forward pass, found on torch's meta device.

No parameter is filled and nothing is computed: torch runs the model on shapes alone, and the bytes
that autograd saves are added up. So the figure follows the code, not a formula beside it.
"""

from dataclasses import replace

import torch
from torch import Tensor

from .config import ModelConfig
from .lm import CausalLM

_FLOAT32_BYTES = 4


def kept_bytes(config: ModelConfig, sequences: int, tokens: int, *, recomputes: bool) -> int:
    """Bytes saved for the gradient of `sequences` of `tokens` tokens each, in float32.

    All layers keep the same, so two small models tell that of any number. With `recomputes` each
    layer keeps its input, and one at a time all else. What operations need besides while they run
    is not in it.

    Raises:
        ModelError: the model has fewer positions than `tokens`.
    """
    one, two = (
        _saved(replace(config, num_hidden_layers=layers), sequences, tokens) for layers in (1, 2)
    )
    layer, rest = two - one, one - (two - one)
    if not recomputes:
        return rest + config.num_hidden_layers * layer
    entry = sequences * tokens * config.hidden_size * _FLOAT32_BYTES
    return rest + config.num_hidden_layers * entry + layer


def _saved(config: ModelConfig, sequences: int, tokens: int) -> int:
    with torch.device("meta"):
        model = CausalLM(config)
        text = torch.zeros(sequences, tokens + 1, dtype=torch.long)
    parameters = {id(parameter.untyped_storage()) for parameter in model.parameters()}
    # Kept alive, so that no storage's id is given to another.
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[id(storage)] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.loss(text)
    return sum(s.nbytes() for key, s in storages.items() if key not in parameters)
