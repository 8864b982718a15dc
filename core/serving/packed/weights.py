"""Read a base from its files into a `Network`, a layer at a time.

Nothing of transformers' models is built, so the weights are never in memory as a whole, and the
modules of its architectures are not imported.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.models.folder import ModelFolder
from core.serving.packed.layers import Layer, Projection, Shape
from core.serving.packed.layout import (
    DOWN,
    GATE_UP,
    HEAD_NORMS,
    QKV,
    O,
    in_rope_order,
    ordered,
)
from core.serving.packed.network import Network
from core.serving.packed.quantized_linear import Dense, Kind, pack
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from transformers import PretrainedConfig


_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
_ROPES = ("default", "linear", "llama3", "yarn")
"""Those whose angles do not hang on the length of the text."""

Choose = Callable[[Tensor], Kind]


def supports(config: "PretrainedConfig") -> bool:
    """Whether `read` can make a network of the base with this config."""
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type in _FAMILIES
        and getattr(config, "quantization_config", None) is None
        and config.hidden_act == "silu"
        and rope.get("rope_type") in _ROPES
        and rope.get("partial_rotary_factor", 1.0) == 1.0
    )


def read(folder: ModelFolder, config: "PretrainedConfig", choose: Choose) -> Network:
    """The network in `folder`.

    Args:
        config: One that `supports` is true for.
        choose: How to pack a matrix, given its weights (out, in) in float32.

    Raises:
        TuteeError: a tensor is missing, or a file cannot be read.
    """
    shape = _shape(config)
    files = _Files(folder.path)
    embedding = files["model.embed_tokens.weight"]
    head = embedding if config.tie_word_embeddings else files["lm_head.weight"]
    packed = pack(head, choose(head))
    if isinstance(packed, Dense) and config.tie_word_embeddings:
        embedding = packed.weight
    elif packed.kind != "fp32":
        embedding = embedding.bfloat16()
    exact = None
    if packed.kind != "fp32":
        exact = embedding if config.tie_word_embeddings else files.left("lm_head.weight")
    del head
    layers = [
        _layer(files, f"model.layers.{index}.", shape, choose) for index in range(shape.layers)
    ]
    norm = files["model.norm.weight"]
    return Network(shape, embedding, layers, norm, packed, exact)


def _shape(config: "PretrainedConfig") -> Shape:
    head_size = getattr(config, "head_dim", None) or (
        config.hidden_size // config.num_attention_heads
    )
    frequencies, scale = _frequencies(config, head_size)
    # A config may name a window that its layers do not use.
    sliding = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or (
        ["sliding_attention" if sliding else "full_attention"] * config.num_hidden_layers
    )
    return Shape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        key_heads=config.num_key_value_heads,
        head_size=head_size,
        epsilon=config.rms_norm_eps,
        windows=tuple(sliding if kind == "sliding_attention" else None for kind in kinds),
        frequencies=frequencies,
        rope_scale=scale,
    )


def _frequencies(config: "PretrainedConfig", head_size: int) -> tuple[Tensor, float]:
    """RoPE's angles a position (head size / 2), and the factor on its cosines and sines."""
    rope = config.rope_parameters
    if rope["rope_type"] == "default":
        return rope["rope_theta"] ** -(torch.arange(0, head_size, 2).float() / head_size), 1.0
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    return ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, torch.device("cpu"))


def _layer(files: "_Files", prefix: str, shape: Shape, choose: Choose) -> Layer:
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
            (queries.expand(shape.heads, -1), keys.expand(shape.key_heads, -1))
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


def _fused(files: "_Files", tensors: Sequence[str], names: Sequence[str], shape: Shape) -> Tensor:
    return torch.cat(ordered(names, [files[tensor] for tensor in tensors], shape))


class _Files:
    """Gives any tensor of the files in a folder, in float32.

    A file is opened anew for each, so that what was read of it does not stay in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Path] = {}
        try:
            for path in sorted(folder.glob("*.safetensors")):
                with safe_open(path, framework="pt") as file:
                    self._places.update(dict.fromkeys(file.keys(), path))
        except (OSError, SafetensorError) as error:
            raise TuteeError(
                _("The model in {folder} could not be loaded: {why}").format(
                    folder=folder, why=error
                )
            ) from error

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Tensor:
        return self.left(name).to(torch.float32, copy=True)

    def left(self, name: str) -> Tensor:
        """The tensor as it lies in its file: only what is looked at is read from there."""
        if name not in self._places:
            # transformers would go on with random numbers in its place.
            raise TuteeError(
                _("The weights in {folder} are incomplete: {name} is missing.").format(
                    folder=self._folder, name=name
                ),
                _("Fetch the model again, and check that it is one that writes text."),
            )
        with safe_open(self._places[name], framework="pt") as file:
            tensor: Tensor = file.get_tensor(name)
        return tensor
