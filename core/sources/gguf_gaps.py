"""What transformers' reader of GGUF files passes over without a word: put back, or refused.

A model whose positions are turned otherwise than it learned them, or whose text is cut otherwise,
answers almost well, which is worse than not at all. So what says how text is split and positions
are stretched is looked up here, and a file that asks for a way that is not known is refused.

The names of splittings are llama.cpp's (`llama-vocab.cpp`).
"""

from pathlib import Path
from typing import Any

from store.errors import TuteeError
from store.language import N_, _

_INSTEAD = N_("Use the safetensors of the model instead.")
_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
"""Splittings in which each digit stands alone, and the rest is GPT-2's."""
_PLAIN = ("gpt-2", "gpt2", "default", "mpt", "olmo", "jais", "phi-2", "")
"""Those that are GPT-2's, or say nothing, as the first files did."""
_LLAMA3 = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""What all Llama 3 models that stretch their positions have in common."""
_LLAMA3_FACTORS = (8.0, 32.0)
"""Of Llama 3.1 and 3.3, and of Llama 3.2."""
_READS_SCALING = ("gpt-oss",)
"""Architectures whose stretching transformers reads itself."""


class Facts:
    """What a GGUF file says of itself, as far as it is asked here.

    Raises:
        OSError, ValueError: it cannot be read.
    """

    def __init__(self, file: Path) -> None:
        import gguf

        reader = gguf.GGUFReader(file)
        self._fields = reader.fields
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.architecture = str(self.value("general.architecture"))
        self.splitting = str(self.value("tokenizer.ggml.pre") or "")
        self.byte_level = self.value("tokenizer.ggml.model") == "gpt2"

    def value(self, key: str) -> Any:
        field = self._fields.get(key)
        return field.contents() if field is not None else None

    def tensor(self, name: str) -> Any:
        """The numbers of a small tensor, or None."""
        found = self._tensors.get(name)
        return None if found is None else found.data


def split_as_told(tokenizer: Any, facts: Facts) -> None:
    """Have `tokenizer` split text as the file says.

    Raises:
        TuteeError: nothing here knows that way.
    """
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    if not facts.byte_level or facts.splitting in (*_PLAIN, *GGUF_PRE_TOKENIZER_SPLITS):
        return
    if facts.splitting not in _DIGITS:
        raise TuteeError(
            _(
                "The tokenizer in the file splits text in the way “{name}”, which is not known "
                "here, so it would read everything wrongly."
            ).format(name=facts.splitting),
            _(_INSTEAD),
        )
    split_digits(tokenizer)


def split_digits(tokenizer: Any) -> None:
    """Each digit stands alone, and the white space before it keeps together."""
    from tokenizers import pre_tokenizers

    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )


def stretch_as_told(config: Any, facts: Facts) -> None:
    """Have the model of `config` turn its positions as the file says.

    Raises:
        TuteeError: it stretches them in a way that is not known here.
    """
    if facts.architecture in _READS_SCALING:
        return
    factors = facts.tensor("rope_freqs.weight")
    prefix = f"{facts.architecture}.rope.scal"
    kind = facts.value(f"{prefix}ing.type")
    linear = facts.value(f"{prefix}e_linear") or 1.0
    long = facts.tensor("rope_factors_long.weight")
    if kind in (None, "none") and linear == 1.0 and long is None and factors is None:
        return
    rope = None if long is not None else _llama3(config, factors)
    if rope is None:
        raise TuteeError(
            _("The model in the file stretches its positions in a way that is not read from GGUF."),
            _(_INSTEAD),
        )
    config.rope_parameters = rope


def _llama3(config: Any, factors: Any) -> dict[str, Any] | None:
    """The settings of Llama 3 whose frequencies are divided by `factors` (head size / 2)."""
    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    theta = config.rope_parameters["rope_theta"]
    plain = theta ** -(torch.arange(0, config.head_dim, 2).float() / config.head_dim)
    for factor in _LLAMA3_FACTORS if factors is not None else ():
        rope = {"rope_type": "llama3", "rope_theta": theta, "factor": factor, **_LLAMA3}
        config.rope_parameters = rope
        frequencies, _scale = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
        if torch.allclose(plain / frequencies, torch.tensor(factors), rtol=1e-3):
            return rope
    return None
