"""Read a base from its files into a `Network`, a layer at a time.

Nothing of transformers' models is built, so the weights are never in memory as a whole, and the
modules of its architectures are not imported.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.models import ModelFolder
from core.serving.linear import Dense, Kind, pack
from core.serving.network import Layer, Network, Projection, Shape
from store.errors import TuteeError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
O = ("self_attn.o_proj",)  # noqa: E741
GATE_UP = ("mlp.gate_proj", "mlp.up_proj")
DOWN = ("mlp.down_proj",)
HEAD_NORMS = ("self_attn.q_norm", "self_attn.k_norm")
PARTS = (QKV, O, GATE_UP, DOWN)
"""The matrices of a layer that are fused into one each, by their names in the files."""

_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
_ROPES = ("default", "linear", "llama3", "yarn")
"""Those whose angles do not hang on the length of the text."""

Choose = Callable[[Tensor], Kind]
Read = Callable[..., Any]


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
    with _tensors(folder.path) as tensor:
        embedding = tensor("model.embed_tokens.weight")
        head = embedding if config.tie_word_embeddings else tensor("lm_head.weight")
        packed = pack(head, choose(head))
        if isinstance(packed, Dense) and config.tie_word_embeddings:
            embedding = packed.weight
        elif packed.kind != "fp32":
            embedding = embedding.bfloat16()
        layers = [
            _layer(tensor, f"model.layers.{index}.", shape, choose) for index in range(shape.layers)
        ]
        return Network(shape, embedding, layers, tensor("model.norm.weight"), packed)


def in_rope_order(rows: Tensor, head_size: int) -> Tensor:
    """The rows of a matrix (heads * head size, …) so that the pairs RoPE turns are neighbours."""
    halves = rows.unflatten(0, (-1, 2, head_size // 2))
    return halves.transpose(1, 2).flatten(0, 2)


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


def _layer(tensor: Read, prefix: str, shape: Shape, choose: Choose) -> Layer:
    def projection(names: Sequence[str]) -> Projection:
        parts = [tensor(f"{prefix}{name}.weight") for name in names]
        biases = [tensor(f"{prefix}{name}.bias", optional=True) for name in names]
        weight = torch.cat(ordered(names, parts, shape))
        bias = None if biases[0] is None else torch.cat(ordered(names, biases, shape))
        return Projection(pack(weight, choose(weight)), bias)

    norms = [tensor(f"{prefix}{name}.weight", optional=True) for name in HEAD_NORMS]
    head_norm = None
    if norms[0] is not None:
        queries, keys = (in_rope_order(norm, shape.head_size) for norm in norms)
        head_norm = torch.cat(
            (queries.expand(shape.heads, -1), keys.expand(shape.key_heads, -1))
        ).contiguous()
    return Layer(
        input_norm=tensor(f"{prefix}input_layernorm.weight"),
        qkv=projection(QKV),
        head_norm=head_norm,
        o=projection(O),
        mlp_norm=tensor(f"{prefix}post_attention_layernorm.weight"),
        gate_up=projection(GATE_UP),
        down=projection(DOWN),
    )


def ordered(names: Sequence[str], parts: Sequence[Tensor], shape: Shape) -> list[Tensor]:
    """`parts`, rows by features, with those of queries and keys in RoPE's order."""
    return [
        in_rope_order(part, shape.head_size) if name in QKV[:2] else part
        for name, part in zip(names, parts, strict=True)
    ]


@contextmanager
def _tensors(folder: Path) -> Iterator[Read]:
    """A function that gives any tensor of the files in `folder`, in float32."""
    with ExitStack() as stack:
        places: dict[str, Any] = {}
        try:
            for path in sorted(folder.glob("*.safetensors")):
                file = stack.enter_context(safe_open(path, framework="pt"))
                places.update(dict.fromkeys(file.keys(), file))
        except (OSError, SafetensorError) as error:
            raise TuteeError(f"The model in {folder} could not be loaded: {error}") from error

        def tensor(name: str, optional: bool = False) -> Any:
            if name in places:
                # A copy: one tensor that is kept would keep the whole file in memory.
                return places[name].get_tensor(name).to(torch.float32, copy=True)
            if optional:
                return None
            # transformers would go on with random numbers in its place.
            raise TuteeError(
                f"The weights in {folder} are incomplete: {name} is missing.",
                "Fetch the model again, and check that it is one that writes text.",
            )

        yield tensor
