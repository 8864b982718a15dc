"""Load a base from its files into a `Network`, one layer at a time.

No transformers model is built, so the original weights are never in memory as a whole, and the
modules of transformers' architectures are not imported.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.models.folder import ModelFolder
from core.serving.packed.layers import Layer, NetworkShape, Projection
from core.serving.packed.layout import DOWN, GATE_UP, HEAD_NORMS, QKV, O, in_rope_order, reordered
from core.serving.packed.network import Network
from core.serving.packed.quantized_linear import DenseLinear, Kind, pack
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
_ROPES = ("default", "linear", "llama3", "yarn")
"""RoPE types whose frequencies do not depend on sequence length."""

ChooseKind = Callable[[Tensor], Kind]
"""Chooses how to store a matrix, given its weights (out, in) in float32."""


def supports(config: "PretrainedConfig") -> bool:
    """Return whether `load` can make a network of a base with this config."""
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type in _FAMILIES
        and getattr(config, "quantization_config", None) is None
        and config.hidden_act == "silu"
        and rope.get("rope_type") in _ROPES
        and rope.get("partial_rotary_factor", 1.0) == 1.0
    )


def load(folder: ModelFolder, config: "PretrainedConfig", choose: ChooseKind) -> Network:
    """Load the network in `folder`, whose `config` is one that `supports` accepts.

    Raises:
        TuteeError: a tensor is missing, or a file cannot be read.
    """
    shape = _shape(config)
    files = _Files(folder.path)
    embedding = files["model.embed_tokens.weight"]
    head = embedding if config.tie_word_embeddings else files["lm_head.weight"]
    packed = pack(head, choose(head))
    if isinstance(packed, DenseLinear) and config.tie_word_embeddings:
        embedding = packed.weight
    elif packed.kind != "fp32":
        embedding = embedding.bfloat16()
    exact_head = None
    if packed.kind != "fp32":
        exact_head = embedding if config.tie_word_embeddings else files.stored("lm_head.weight")
    del head
    layers = [_layer(files, f"model.layers.{n}.", shape, choose) for n in range(shape.layers)]
    norm = files["model.norm.weight"]
    return Network(shape, embedding, layers, norm, packed, exact_head)


def _shape(config: "PretrainedConfig") -> NetworkShape:
    head_size = getattr(config, "head_dim", None) or (
        config.hidden_size // config.num_attention_heads
    )
    frequencies, scale = _frequencies(config, head_size)
    # A config may name a window that no layer uses.
    sliding = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or (
        ["sliding_attention" if sliding else "full_attention"] * config.num_hidden_layers
    )
    return NetworkShape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_size=head_size,
        epsilon=config.rms_norm_eps,
        windows=tuple(sliding if kind == "sliding_attention" else None for kind in kinds),
        frequencies=frequencies,
        rope_scale=scale,
    )


def _frequencies(config: "PretrainedConfig", head_size: int) -> tuple[Tensor, float]:
    """Return RoPE's angles per position (head size / 2), and the factor on cosines and sines."""
    rope = config.rope_parameters
    if rope["rope_type"] == "default":
        return rope["rope_theta"] ** -(torch.arange(0, head_size, 2).float() / head_size), 1.0
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    return ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, torch.device("cpu"))


def _layer(files: "_Files", prefix: str, shape: NetworkShape, choose: ChooseKind) -> Layer:
    def projection(names: Sequence[str]) -> Projection:
        weight = _fused(files, [f"{prefix}{name}.weight" for name in names], names, shape)
        bias = None
        if f"{prefix}{names[0]}.bias" in files:
            bias = _fused(files, [f"{prefix}{name}.bias" for name in names], names, shape)
        return Projection(pack(weight, choose(weight)), bias)

    head_norm = None
    if f"{prefix}{HEAD_NORMS[0]}.weight" in files:
        queries, keys = (
            in_rope_order(files[f"{prefix}{name}.weight"], shape.head_size) for name in HEAD_NORMS
        )
        head_norm = torch.cat(
            (queries.expand(shape.heads, -1), keys.expand(shape.kv_heads, -1))
        ).contiguous()
    return Layer(
        input_norm=files[f"{prefix}input_layernorm.weight"],
        qkv=projection(QKV),
        head_norm=head_norm,
        o=projection(O),
        mlp_norm=files[f"{prefix}post_attention_layernorm.weight"],
        gate_up=projection(GATE_UP),
        down=projection(DOWN),
    )


def _fused(
    files: "_Files", tensors: Sequence[str], names: Sequence[str], shape: NetworkShape
) -> Tensor:
    return torch.cat(reordered(names, [files[tensor] for tensor in tensors], shape))


class _Files:
    """The tensors of a folder's safetensors files by name, in float32.

    Each access opens the file anew, so that its pages do not stay in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Path] = {}
        try:
            for path in sorted(folder.glob("*.safetensors")):
                with safe_open(path, framework="pt") as file:
                    self._places.update(dict.fromkeys(file.keys(), path))
        except (OSError, SafetensorError) as error:
            title = _("The model in {folder} could not be loaded: {why}")
            raise TuteeError(title.format(folder=folder, why=error)) from error

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Tensor:
        return self.stored(name).to(torch.float32, copy=True)

    def stored(self, name: str) -> Tensor:
        """Return the tensor as stored, memory-mapped: only the rows that are used are read."""
        if name not in self._places:
            # transformers would use random weights in its place.
            title = _("The weights in {folder} are incomplete: {name} is missing.")
            hint = _("Fetch the model again, and check that it is one that writes text.")
            raise TuteeError(title.format(folder=self._folder, name=name), hint)
        with safe_open(self._places[name], framework="pt") as file:
            return file.get_tensor(name)
