"""Load a Llama's tokenizer and config without transformers' Auto classes.

The Auto classes import the architecture's config module, and Llama's pulls in most of torch: the
largest single cost before the first reply. Where the files leave the Auto classes only one choice,
the class they would choose is used directly; a test holds that the result is the same.

Left out on purpose: architectures whose config is cheap to import, and files that do not state
everything checked here; the Auto classes read both.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from core.json_file import read_or_empty

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

_CLASSES = {
    "TokenizersBackend": ("tokenization_utils_tokenizers", "TokenizersBackend"),
    "PreTrainedTokenizerFast": ("tokenization_utils_tokenizers", "TokenizersBackend"),
    "GPT2Tokenizer": ("models.gpt2.tokenization_gpt2", "GPT2Tokenizer"),
    "GPT2TokenizerFast": ("models.gpt2.tokenization_gpt2", "GPT2Tokenizer"),
}
"""Module and class by the `tokenizer_class` of `tokenizer_config.json`. LlamaTokenizer is missing
because the class it stands for depends on the other files."""
_SAID = {
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "tie_word_embeddings",
}
"""Keys that `config.json` must state; only the architecture's own class knows their defaults."""


def tokenizer(path: Path) -> "PreTrainedTokenizerBase | None":
    """Load the tokenizer; None if only `AutoTokenizer` can tell its class."""
    settings = read_or_empty(path / "tokenizer_config.json")
    module, name = _CLASSES.get(settings.get("tokenizer_class", ""), ("", ""))
    if (
        not module
        or "auto_map" in settings
        or not (path / "tokenizer.json").is_file()
        or read_or_empty(path / "config.json").get("model_type") != "llama"
    ):
        return None
    kind = getattr(importlib.import_module(f"transformers.{module}"), name)
    return kind.from_pretrained(path, local_files_only=True)


def config(path: Path) -> "PretrainedConfig | None":
    """Load the config; None if only `AutoConfig` can read it."""
    said = read_or_empty(path / "config.json")
    rope = said.get("rope_parameters")
    if rope is None and not said.get("rope_scaling") and "rope_theta" in said:
        rope = {"rope_type": "default", "rope_theta": said["rope_theta"]}
    if said.get("model_type") != "llama" or not said.keys() >= _SAID or rope is None:
        return None
    from transformers.configuration_utils import PreTrainedConfig

    found = PreTrainedConfig.from_pretrained(path, local_files_only=True)
    found.rope_parameters = rope
    return found
