"""Apply, or refuse, the GGUF metadata that transformers' loader silently ignores.

A model whose RoPE or pre-tokenizer differs from the one it was trained with answers almost well,
which is worse than not at all. So the metadata for text splitting, RoPE scaling and attention
scaling is read here; a file that asks for an unknown variant is refused, and so is every
architecture that no test covers (`READ`).

Pre-tokenizer names and the defaults for missing keys are llama.cpp's (`llama-vocab.cpp`,
`models/gemma2.cpp`, `models/gemma3.cpp`).
"""

from pathlib import Path
from typing import Any

from store.errors import TuteeError
from store.i18n import N_, _

_INSTEAD = N_("Use the safetensors of the model instead.")
READ = ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3")
"""Supported architectures; Mistral's files call theirs llama."""
_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
"""Pre-tokenizers that split off every digit and otherwise work like GPT-2's."""
_PLAIN = ("gpt-2", "gpt2", "default", "mpt", "olmo", "jais", "phi-2", "")
"""Pre-tokenizers that are GPT-2's, or unstated, as in the earliest files."""
_LLAMA3 = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""RoPE scaling settings shared by all Llama 3 models that have it."""
_LLAMA3_FACTORS = (8.0, 32.0)
"""RoPE factors of Llama 3.1 and 3.3, and of Llama 3.2."""
_BY_SIZE = {"gemma2": 46, "gemma3": 62}
"""Layer counts of the Gemma models (27B) that scale attention by hidden size / heads instead of by
head size. No file states it."""


class Facts:
    """The metadata of a GGUF file that is needed here.

    Raises:
        OSError, ValueError: the file cannot be read.
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
        """Return the values of a small tensor, or None."""
        found = self._tensors.get(name)
        return None if found is None else found.data


def require_read(facts: Facts) -> None:
    """Refuse an architecture that no test covers.

    Raises:
        TuteeError: it is not one of `READ`.
    """
    if facts.architecture not in READ:
        raise TuteeError(
            _(
                "GGUF files of the architecture “{name}” are not read: nobody has made sure that "
                "the model would say the same here."
            ).format(name=facts.architecture),
            _(_INSTEAD),
        )


def split_as_told(tokenizer: Any, facts: Facts) -> None:
    """Make `tokenizer` split text as the file says.

    Raises:
        TuteeError: the pre-tokenizer is unknown.
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
    """Split off every digit, and keep the whitespace before it together."""
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level])


def attend_as_told(config: Any, facts: Facts) -> None:
    """Set the attention scaling in `config` as the file, or the model's size, demands.

    Raises:
        TuteeError: RoPE covers only part of each head, or the sliding-window pattern is unknown.
    """
    told = facts.architecture
    even = config.hidden_size // config.num_attention_heads
    head = getattr(config, "head_dim", None) or even
    turned = facts.value(f"{told}.rope.dimension_count") or head
    pattern = facts.value(f"{told}.attention.sliding_window_pattern")
    usual = {"gemma2": 2, "gemma3": 6}.get(told)
    windowless = told == "gemma3" and not facts.value(f"{told}.attention.sliding_window")
    if turned != head or pattern not in (None, usual) or windowless:
        raise TuteeError(
            _("The model in the file attends to its text in a way that is not read from GGUF."),
            _(_INSTEAD),
        )
    if told not in _BY_SIZE:
        return
    large = config.num_hidden_layers == _BY_SIZE[told]
    config.query_pre_attn_scalar = even if large else head
    for name in ("attn_logit_softcapping", "final_logit_softcapping"):
        if cap := facts.value(f"{told}.{name}"):
            setattr(config, name, cap)


def stretch_as_told(config: Any, facts: Facts) -> None:
    """Set the RoPE scaling in `config` as the file says.

    Raises:
        TuteeError: the scaling is unknown.
    """
    factors = facts.tensor("rope_freqs.weight")
    prefix = f"{facts.architecture}.rope.scal"
    kind = facts.value(f"{prefix}ing.type")
    linear = facts.value(f"{prefix}e_linear") or 1.0
    long = facts.tensor("rope_factors_long.weight")
    if kind in (None, "none") and linear == 1.0 and long is None and factors is None:
        return
    if facts.architecture == "gemma3" and kind == "linear":
        factor = facts.value(f"{prefix}ing.factor")
        config.rope_parameters["full_attention"] |= {"rope_type": "linear", "factor": factor}
        return
    rope = None if long is not None else _llama3(config, factors)
    if rope is None:
        raise TuteeError(
            _("The model in the file stretches its positions in a way that is not read from GGUF."),
            _(_INSTEAD),
        )
    config.rope_parameters = rope


def _llama3(config: Any, factors: Any) -> dict[str, Any] | None:
    """Return Llama 3's RoPE settings whose frequency divisors are `factors` (head size / 2)."""
    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    theta = config.rope_parameters.get("rope_theta")
    if factors is None or theta is None:
        return None
    plain = theta ** -(torch.arange(0, config.head_dim, 2).float() / config.head_dim)
    for factor in _LLAMA3_FACTORS:
        rope = {"rope_type": "llama3", "rope_theta": theta, "factor": factor, **_LLAMA3}
        config.rope_parameters = rope
        frequencies, _scale = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
        if torch.allclose(plain / frequencies, torch.tensor(factors), rtol=1e-3):
            return rope
    return None
