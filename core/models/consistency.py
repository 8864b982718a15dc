"""Whether the files of a model folder fit one another: config, weights and tokenizer.

The packed decoder takes sizes from the weights and transformers takes them from the config, so a
folder in which they differ would be served as one model and trained as another. Only headers are
read. What is not known here, such as the sizes of most architectures, is left to transformers,
which refuses what it cannot load.
"""

import math
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import json_file
from core.hub.file_listing import ADAPTER
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_COUNTS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
)
_MOST = 2**31 - 1
_EMBEDDINGS = (
    "model.embed_tokens.weight",
    "model.language_model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
)
_MATRIX = re.compile(r"model\.layers\.\d+\.(\w+\.\w+)\.weight")
_LLAMAS = ("llama", "mistral", "qwen2", "qwen3")
"""Architectures whose shapes are known here: those of `core.serving.packed.weights`."""


def require_consistent(path: Path, config: Mapping[str, Any]) -> None:
    """Check the folder at `path`, whose `config.json` holds `config`.

    Raises:
        TuteeError: a file is damaged or none at all, or config and weights contradict each other.
    """
    _require_files(path)
    text = config.get("text_config") or config
    if not isinstance(text, dict):
        raise _bad(path, "text_config", text)
    _require_numbers(path, text)
    shapes = dict(tensor_shapes(path))
    if config.get("quantization_config"):
        return  # its weights are packed
    for name, wanted in _known_shapes(text, shapes):
        if name in shapes and shapes[name] != wanted:
            raise TuteeError(
                _(
                    "The config of the model in {path} does not fit its weights: {tensor} is "
                    "{given}, and by config.json it is {wanted}."
                ).format(path=path, tensor=name, given=_shown(shapes[name]), wanted=_shown(wanted)),
                _("Fetch the model again, config.json and weights together."),
            )


def tensor_shapes(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of each tensor in the safetensors files of the folder `path`.

    Raises:
        TuteeError: the header of a file is damaged, or the file is not all there.
    """
    from safetensors import SafetensorError, safe_open

    for file in sorted(path.glob("*.safetensors")):
        try:
            with safe_open(file, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118  # not a dict
                    yield name, tuple(opened.get_slice(name).get_shape())
        except (OSError, SafetensorError, ValueError) as error:
            raise TuteeError(
                _("The weights in {weights} are damaged or not all there.").format(weights=file),
                _("Fetch that file again. It says: {said}").format(said=str(error)[:200]),
            ) from error


def require_tokens(tokenizer: "PreTrainedTokenizerBase", path: Path) -> None:
    """Check that the model in `path` has an embedding for each token that can occur.

    Models for text may keep a token for pictures beyond their embeddings (Gemma 3). It is never
    used: texts cannot contain control tokens, and the template does not.

    Raises:
        TuteeError: a token has none.
    """
    config = json_file.read_or_empty(path / "config.json")
    rows = (config.get("text_config") or config).get("vocab_size")
    if rows is None:
        return
    template = str(tokenizer.chat_template or "")
    beyond = [
        number
        for number, token in tokenizer.added_tokens_decoder.items()
        if number >= rows and (not token.special or token.content in template)
    ]
    known = max([tokenizer.vocab_size, *(number + 1 for number in beyond)])
    if known > rows:
        raise TuteeError(
            _(
                "The tokenizer in {folder} has {tokens:,} tokens, and the model has embeddings "
                "for {rows:,}."
            ).format(folder=path, tokens=known, rows=rows),
            _("Fetch the model again, tokenizer and weights together."),
        )


def _require_files(path: Path) -> None:
    """Refuse pipes and devices, which may be read for ever, and an adapter among the weights."""
    for entry in path.iterdir():
        try:
            mode = entry.stat().st_mode
        except OSError:
            continue  # a broken link; whoever needs it says so
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise TuteeError(
                _("{file} in the model's folder is not a regular file.").format(file=entry),
                _("Remove it, or fetch the model again."),
            )
    if (path / ADAPTER).exists():
        raise TuteeError(
            _(
                "The model in {path} also holds an adapter ({file}), and it is unclear which of "
                "the two is meant: transformers would use both."
            ).format(path=path, file=ADAPTER),
            _(
                "Move {file} and its weights to a folder of their own, then add the adapter with "
                "`tutee adapters add`."
            ).format(file=ADAPTER),
        )


def _require_numbers(path: Path, config: Mapping[str, Any]) -> None:
    for key in _COUNTS:
        given = config.get(key)
        # Some architectures have a number for each layer.
        values = given if isinstance(given, list) and given else [given]
        if given is not None and not all(type(n) is int and 1 <= n <= _MOST for n in values):
            raise _bad(path, key, given)
    epsilon = config.get("rms_norm_eps", 0.0)
    if type(epsilon) not in (int, float) or not math.isfinite(epsilon) or epsilon < 0:
        raise _bad(path, "rms_norm_eps", epsilon)


def _bad(path: Path, key: str, value: object) -> TuteeError:
    return TuteeError(
        _("`{key}` in the config.json of {path} cannot be used: {value}.").format(
            key=key, path=path, value=repr(value)[:60]
        ),
        _("Fetch the model again; its config.json was changed or is damaged."),
    )


def _known_shapes(
    config: Mapping[str, Any], names: Iterable[str]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the shapes that tensors have by `config`."""
    vocabulary, hidden = config.get("vocab_size"), config.get("hidden_size")
    if type(vocabulary) is not int or type(hidden) is not int:
        return
    for name in _EMBEDDINGS:
        yield name, (vocabulary, hidden)
    heads, inner = config.get("num_attention_heads"), config.get("intermediate_size")
    if config.get("model_type") not in _LLAMAS or type(heads) is not int or type(inner) is not int:
        return
    size = config.get("head_dim") or hidden // heads
    queries, keys = heads * size, (config.get("num_key_value_heads") or heads) * size
    matrices = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    yield "lm_head.weight", (vocabulary, hidden)
    yield "model.norm.weight", (hidden,)
    for name in names:
        found = _MATRIX.fullmatch(name)
        if found and found[1] in matrices:
            yield name, matrices[found[1]]


def _shown(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))
