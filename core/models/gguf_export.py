"""Write a model folder as a GGUF file for llama.cpp and programs built on it: Ollama, LM Studio.

The layout is that of llama.cpp's own converter, for the Llama and Qwen families with a byte-level
tokenizer whose pre-tokenizer llama.cpp knows by name. A test holds that llama.cpp produces the same
tokens and probabilities.

Left out on purpose: other families, RoPE scaling and SentencePiece tokenizers, which that converter
(`convert_hf_to_gguf.py`) handles; and quantization below 8 bits (`llama-quantize`).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from core import json_file
from core.models.folder import ModelFolder
from core.models.loading import eos_tokens, load_tokenizer
from data.tokenization import end_of_turn, prompt_text, stop_ids
from store.errors import TuteeError
from store.i18n import N_, _
from store.records import ChatMessage

Precision = Literal["f16", "q8_0"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""llama.cpp's architecture names, by transformers' model type."""
_SYSTEM_TURN, _TURN_END = "<|im_start|>system\n", "<|im_end|>\n"
_CHATML = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
_PROBE = "Tutee0probe"
_ELSEWHERE = N_("llama.cpp's `convert_hf_to_gguf.py` may know it: give it the merged folder.")
_CONTROL, _NORMAL = 3, 1
"""Token types (`gguf.TokenType`)."""


def write(folder: ModelFolder, file: Path, precision: Precision) -> None:
    """Write the model in `folder` to `file`.

    Raises:
        TuteeError: the model cannot be written; the hint names what can do it.
        OSError: the disk refuses.
    """
    import gguf

    config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    architecture = architecture_of(folder, config)
    tokenizer = json.loads((folder.path / "tokenizer.json").read_text(encoding="utf-8"))
    splitting = _splitting(folder, tokenizer)
    writer = gguf.GGUFWriter(str(file), architecture)
    try:
        _write_shape(writer, folder, config)
        _write_tokens(writer, folder, config, tokenizer, splitting)
        for name, values in _tensors(folder, config, architecture):
            _write_tensor(writer, name, values, precision)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    file.chmod(0o600)


def modelfile(folder: ModelFolder, file: Path, system_prompt: str) -> str:
    """Return an Ollama Modelfile for `file`, which lies beside it.

    Ollama recognizes the templates of most chat models in the GGUF file; ChatML, which any model
    may use, is written out, with the end of the prompt as it is in training and with the system
    prompt that the template has of its own where `system_prompt` is empty.

    Raises:
        TuteeError: no Modelfile can hold the system prompt.
    """
    tokenizer: Any = load_tokenizer(folder)
    system = system_prompt or _default_system(tokenizer)
    quoted, template = _quoted(system), ""
    if "<|im_start|>" in (tokenizer.chat_template or ""):
        question = prompt_text(tokenizer, [ChatMessage(role="user", content=_PROBE)])
        end = question.rpartition(_PROBE)[2].removeprefix("<|im_end|>\n")
        template = _CHATML + end
    if quoted is None and template:
        # SYSTEM cannot hold it, but a string in the template can.
        turn = _SYSTEM_TURN + _as_go(system) + _TURN_END
        template = "{{ if not .System }}" + turn + "{{ end }}" + template
    elif quoted is None:
        raise TuteeError(
            _("The system prompt cannot be written to a Modelfile: a line ends in three quotes."),
            _("Change that line in the settings, then export again."),
        )
    config = json_file.read_or_empty(folder.path / "config.json")
    ends = stop_ids(tokenizer) | eos_tokens(folder, config.get("eos_token_id"))
    stops = tokenizer.convert_ids_to_tokens(sorted(ends))
    lines = [
        f"FROM ./{file.name}",
        f'TEMPLATE """{template}"""' if template else "",
        f"SYSTEM {quoted}" if system and quoted else "",
        *(f'PARAMETER stop "{stop}"' for stop in stops),
    ]
    return "\n".join(filter(None, lines)) + "\n"


def _default_system(tokenizer: Any) -> str:
    """Return the system prompt that a ChatML template writes where none is given."""
    text = prompt_text(tokenizer, [ChatMessage(role="user", content=_PROBE)])
    before = text.partition("<|im_start|>user")[0]
    _start, found, turn = before.partition(_SYSTEM_TURN)
    return turn.removesuffix(_TURN_END) if found else ""


def _quoted(text: str) -> str | None:
    """Return `text` as Ollama's parser reads it; None if it cannot.

    Three quotes at the end of a line end the text, and there is no way to escape them.
    """
    lines = re.split("[\r\n]", text)
    return None if any(line.rstrip().endswith('"""') for line in lines[:-1]) else f'"""{text}"""'


def _as_go(text: str) -> str:
    """Return `text` as part of a Go template."""
    return re.sub(r'"""|\{\{', lambda found: f"{{{{ {json.dumps(found[0])} }}}}", text)


# -- what can be written ---------------------------------------------------------------------------


def architecture_of(folder: ModelFolder, config: dict[str, Any]) -> str:
    """Return llama.cpp's name for the architecture of the model in `folder`.

    Raises:
        TuteeError: it is of another family, or stretches its positions.
    """
    kind = config.get("model_type")
    if kind not in _ARCHITECTURES:
        title = _("{model} is of the family {family}, not Llama or Qwen.")
        raise TuteeError(title.format(model=folder.label, family=kind), _(_ELSEWHERE))
    rope = config.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default" or config.get("rope_scaling"):
        title = _("{model} stretches its positions.")
        raise TuteeError(title.format(model=folder.label), _(_ELSEWHERE))
    return _ARCHITECTURES[kind]


def _splitting(folder: ModelFolder, tokenizer: dict[str, Any]) -> str:
    """Return llama.cpp's name for the pre-tokenizer."""
    steps = tokenizer.get("pre_tokenizer") or {}
    parts = steps.get("pretokenizers", [steps])
    patterns = [p["pattern"].get("Regex", "") for p in parts if p.get("type") == "Split"]
    kinds = [part.get("type") for part in parts]
    if tokenizer["model"].get("byte_fallback") or "ByteLevel" not in kinds:
        title = _("The tokenizer of {model} is not byte-level.")
        raise TuteeError(title.format(model=folder.label), _(_ELSEWHERE))
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        return "smollm"
    if any(r"\p{N}{1,3}" in pattern for pattern in patterns):
        return "llama-bpe"
    if any(r"|\p{N}|" in pattern for pattern in patterns):
        return "qwen2"
    if kinds == ["ByteLevel"]:
        return "gpt-2"
    title = _("llama.cpp has no name for how {model} splits text.")
    raise TuteeError(title.format(model=folder.label), _(_ELSEWHERE))


# -- what is written -------------------------------------------------------------------------------


def _write_shape(writer: Any, folder: ModelFolder, config: dict[str, Any]) -> None:
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_name(folder.label)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    rope = config.get("rope_parameters") or {}
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _write_tokens(
    writer: Any,
    folder: ModelFolder,
    config: dict[str, Any],
    tokenizer: dict[str, Any],
    splitting: str,
) -> None:
    loaded: Any = load_tokenizer(folder)
    added = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    known = {number: token for token, number in tokenizer["model"]["vocab"].items()} | added
    size = config["vocab_size"]  # embeddings may have more rows than there are tokens
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitting)
    writer.add_token_list([known.get(number, f"[PAD{number}]") for number in range(size)])
    types = [_CONTROL if n in added or n not in known else _NORMAL for n in range(size)]
    writer.add_token_types(types)
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    stops = stop_ids(loaded) | eos_tokens(folder, config.get("eos_token_id"))
    ends = sorted(stops, key=lambda token: (token != end_of_turn(loaded), token))
    writer.add_eos_token_id(ends[0])
    if len(ends) > 1:
        writer.add_eot_token_id(ends[1])  # llama.cpp stops at either
    if loaded.bos_token_id is not None:
        writer.add_bos_token_id(loaded.bos_token_id)
    if loaded.pad_token_id is not None:
        writer.add_pad_token_id(loaded.pad_token_id)
    writer.add_add_bos_token(False)  # the chat template adds it where needed
    writer.add_chat_template(loaded.chat_template)


def _tensors(
    folder: ModelFolder, config: dict[str, Any], architecture: str
) -> Iterator[tuple[str, Any]]:
    """Yield name and values (float32) of each tensor in llama.cpp's layout."""
    import gguf
    import torch
    from safetensors import safe_open

    kind = gguf.MODEL_ARCH[architecture.upper()]
    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    heads = config["num_attention_heads"]
    counts = {"q_proj": heads, "k_proj": config.get("num_key_value_heads") or heads}
    for path in sorted(folder.path.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                    continue
                found = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if found is None:
                    title = _("{model} has a tensor that is unknown: {name}.")
                    raise TuteeError(title.format(model=folder.label, name=name))
                values = file.get_tensor(name).to(torch.float32).numpy()
                part = name.split(".")[-2]
                if architecture == "llama" and part in counts:
                    values = interleaved(values, counts[part])
                yield found, values


def interleaved(values: Any, heads: int) -> Any:
    """Interleave the rows of each head's halves, as llama.cpp rotates them in Llama models."""
    shape = values.shape
    return values.reshape(heads, 2, -1, *shape[1:]).swapaxes(1, 2).reshape(shape)


def _write_tensor(writer: Any, name: str, values: Any, precision: Precision) -> None:
    import gguf
    import numpy

    if values.ndim == 1:
        writer.add_tensor(name, values)
    elif precision == "q8_0" and values.shape[-1] % 32 == 0:
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, values.astype(numpy.float16))
