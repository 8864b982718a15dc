"""A small model folder as a GGUF file, laid out as llama.cpp's own converter does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer

_UNKNOWN, _CONTROL, _BYTE, _NORMAL = 2, 3, 6, 1


def write(
    path: Path,
    folder: ModelFolder,
    architecture: str,
    *,
    splitting: str = "default",
    more: Callable[[Any], object] = lambda writer: None,
) -> None:
    """Write the model in `folder` to `path`.

    Args:
        architecture: llama.cpp's name of it.
        splitting: llama.cpp's name of how text is split.
        more: Adds further fields and tensors to the writer.
    """
    import gguf
    from safetensors.torch import load_file

    config = json.loads((folder.path / "config.json").read_text())
    writer = gguf.GGUFWriter(path, architecture)
    _add_shape(writer, config)
    _add_tokens(writer, folder, splitting)
    more(writer)
    kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(kinds[architecture], config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, tensor in load_file(folder.path / "model.safetensors").items():
        values = tensor.float().numpy()
        part = next((part for part in heads if part in name), "")
        if architecture == "llama" and part:  # the two halves of each head lie in pairs
            halves = values.reshape(heads[part], 2, -1, values.shape[1])
            values = halves.swapaxes(1, 2).reshape(values.shape)
        if architecture.startswith("gemma") and name.endswith("norm.weight"):
            values = values + 1
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: Any, config: dict[str, Any]) -> None:
    import gguf

    writer.add_name("Tiny")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    rope = config["rope_parameters"]
    rope = rope.get("full_attention", rope)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if config.get("attn_logit_softcapping"):
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
    if config.get("final_logit_softcapping"):
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if "head_dim" in config:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    if config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])


def _add_tokens(writer: Any, folder: ModelFolder, splitting: str) -> None:
    settings = json.loads((folder.path / "tokenizer.json").read_text())
    special = {token["content"]: token["id"] for token in settings["added_tokens"]}
    vocabulary = settings["model"]["vocab"] | special
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    byte_level = not settings["model"].get("byte_fallback")
    writer.add_tokenizer_model("gpt2" if byte_level else "llama")
    writer.add_tokenizer_pre(splitting)
    writer.add_token_list(tokens)
    if byte_level:
        writer.add_token_merges([" ".join(merge) for merge in settings["model"]["merges"]])
    else:
        writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_token_types([_kind(token, special) for token in tokens])
    tokenizer = load_tokenizer(folder)
    for name in ("bos", "eos", "pad"):
        number = getattr(tokenizer, f"{name}_token_id")
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(False)
    writer.add_chat_template(tokenizer.chat_template)


def _kind(token: str, special: dict[str, int]) -> int:
    if token == "<unk>":
        return _UNKNOWN
    if token.startswith("<0x"):
        return _BYTE
    return _CONTROL if token in special else _NORMAL
