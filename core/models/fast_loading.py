"""Read a Llama's tokenizer and settings without transformers' automatic classes.

The automatic classes import the configuration of the architecture, and that of Llama imports all of
torch that could check it: 1.5 s of processor time at each start, more than anything else that has
to happen before the first reply. Where what is in the files leaves the automatic classes only one
choice, the same is read with the classes that they would come to; a test holds that it is the same.

Left out on purpose: architectures whose configuration is light, and files that say less than all of
what is asked here; both are read with the automatic classes.
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
"""Module and name of the class, by what `tokenizer_config.json` calls it. LlamaTokenizer is not
among them: whether it means itself hangs on the rest of the files."""
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
"""What has to be in `config.json`; for what is not, only the architecture's class has a default."""


def tokenizer(path: Path) -> "PreTrainedTokenizerBase | None":
    """The tokenizer in `path`; None where it takes `AutoTokenizer` to tell which class it has."""
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
    found: PreTrainedTokenizerBase = kind.from_pretrained(path, local_files_only=True)
    return found


def config(path: Path) -> "PretrainedConfig | None":
    """The settings in `path`; None where it takes `AutoConfig` to read them."""
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
