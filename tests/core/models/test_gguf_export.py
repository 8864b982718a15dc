"""llama.cpp itself reads what is written: into the same tokens, with the same probabilities."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.models import gguf_export, gguf_import
from core.models.folder import ModelFolder, find
from core.models.loading import load_model, load_tokenizer
from data.tokenization import encode_prompt
from store.errors import TuteeError
from store.records import ChatMessage
from tests.families import FAMILIES, make

SAID = (
    ChatMessage(role="system", content="Be brief."),
    ChatMessage(role="user", content="What's 1234 + 5? 你好, don't  say\n\nno."),
)


def family(name: str, path: Path, **settings: Any) -> ModelFolder:
    made = next(family for family in FAMILIES if family.name == name)
    make(made, path / name, **settings)
    return find(str(path / name), path, lambda event: None)


def asked(file: Path, prompt: str | list[int]) -> tuple[int, dict[int, float]]:
    """How many tokens llama.cpp reads in `prompt`, and its likeliest next ones in nats."""
    llama = pytest.importorskip("xllamacpp")
    parameters = llama.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx = 512
    parameters.cpuparams.n_threads = 1
    parameters.verbosity = 0
    server = llama.Server(parameters)
    wanted = {"prompt": prompt, "max_tokens": 1, "temperature": 0.0, "logprobs": 5}
    reply = server.handle_completions(wanted)
    (first,) = reply["choices"][0]["logprobs"]["content"]
    return reply["usage"]["prompt_tokens"], {t["id"]: t["logprob"] for t in first["top_logprobs"]}


def agrees(folder: ModelFolder, file: Path, off: float) -> None:
    """llama.cpp on `file` says what transformers does on `folder`, up to `off` nats."""
    import torch

    tokenizer: Any = load_tokenizer(folder)
    messages = [turn.model_dump() for turn in SAID]
    options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
    text = tokenizer.apply_chat_template(messages, **options)
    ids = encode_prompt(tokenizer, SAID)
    count, likeliest = asked(file, text)
    assert count == len(ids)
    with torch.inference_mode():
        logps = load_model(folder, torch.float32)(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    assert likeliest == pytest.approx({t: logps[t].item() for t in likeliest}, abs=off)


def test_the_real_model_says_the_same(builtin_folder: ModelFolder, tmp_path: Path) -> None:
    gguf_export.write(builtin_folder, tmp_path / "model.gguf", "f16")
    agrees(builtin_folder, tmp_path / "model.gguf", 0.02)
    assert (tmp_path / "model.gguf").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["smollm2", "llama3", "qwen1.5", "qwen2.5", "qwen3"])
def test_each_family_says_the_same(name: str, tmp_path: Path) -> None:
    folder = family(name, tmp_path, hidden_size=64, head_dim=16)
    pin_splitting(folder.path / "tokenizer.json", name)
    folder = find(str(folder.path), tmp_path, lambda event: None)
    gguf_export.write(folder, tmp_path / "model.gguf", "f16")
    agrees(folder, tmp_path / "model.gguf", 0.1)


QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|")


def pin_splitting(path: Path, name: str) -> None:
    """Give a little tokenizer its family's own way of splitting text."""
    told = json.loads(path.read_text())
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    if name == "smollm2":
        steps = [
            {"type": "Digits", "individual_digits": True},
            {**bytes_only, "use_regex": True},
        ]
    else:
        pattern = {"Regex": LLAMA3 if name == "llama3" else QWEN}
        steps = [
            {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False},
            {**bytes_only, "use_regex": False},
        ]
    told["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
    path.write_text(json.dumps(told))


def test_eight_bits_take_half_and_say_nearly_the_same(
    builtin_folder: ModelFolder, tmp_path: Path
) -> None:
    gguf_export.write(builtin_folder, tmp_path / "model.gguf", "q8_0")
    weights = (builtin_folder.path / "model.safetensors").stat().st_size
    assert (tmp_path / "model.gguf").stat().st_size < 0.3 * weights
    agrees(builtin_folder, tmp_path / "model.gguf", 0.5)


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    import torch

    folder = family("qwen2.5", tmp_path)
    pin_splitting(folder.path / "tokenizer.json", "qwen2.5")
    gguf_export.write(folder, tmp_path / "model.gguf", "f16")
    made = gguf_import.folder(tmp_path / "model.gguf", tmp_path, lambda event: None, lambda: False)
    back = find(str(made), tmp_path, lambda event: None)
    ids = torch.tensor([encode_prompt(load_tokenizer(folder), SAID)])
    with torch.inference_mode():
        ours = load_model(back, torch.float32)(ids).logits
        theirs = load_model(folder, torch.float32)(ids).logits
    assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


@pytest.mark.parametrize(
    ("name", "said"), [("mistral", "family mistral"), ("gemma", "family gemma"), ("phi3", "phi3")]
)
def test_other_families_are_refused_with_what_can_do_it(
    name: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(TuteeError, match=said) as caught:
        gguf_export.write(family(name, tmp_path), tmp_path / "model.gguf", "f16")
    assert "convert_hf_to_gguf.py" in caught.value.hint


def test_stretched_positions_are_refused(tmp_path: Path) -> None:
    stretched = {"rope_theta": 1e4, "rope_type": "linear", "factor": 2.0}
    folder = family("llama3", tmp_path, rope_parameters=stretched)
    with pytest.raises(TuteeError, match="stretches its positions"):
        gguf_export.write(folder, tmp_path / "model.gguf", "f16")


def test_ollama_is_told_the_template_and_where_a_reply_ends(builtin_folder: ModelFolder) -> None:
    text = gguf_export.modelfile(builtin_folder, Path("/x/model-f16.gguf"), "Be brief.")
    assert text.startswith("FROM ./model-f16.gguf\n")
    assert "<|im_start|>{{ .Role }}" in text
    assert 'SYSTEM """Be brief."""' in text
    assert 'PARAMETER stop "<|im_end|>"' in text


def parsed(modelfile: str) -> dict[str, list[str]]:
    """The values by command, read as Ollama's `parser.go` does."""
    found: dict[str, list[str]] = {}
    text = modelfile
    while text := text.lstrip():
        command, _space, text = text.partition(" ")
        value = ""
        for line in re.split("(?<=[\r\n])", text):
            value += line
            stripped = value.strip()
            closed = len(stripped) >= 6 and stripped.endswith('"""')
            if not stripped.startswith('"""') or closed:
                break
        text = text[len(value) :]
        value = value.strip()
        found.setdefault(command, []).append(value[3:-3] if value.startswith('"""') else value)
    return found


DOCSTRINGS = 'Docstrings:\n"""\nlike {{ this }}\n"""\nbe brief.'


@pytest.mark.parametrize(
    "system",
    ["Be brief.", 'Say """ now.', 'End in """', '"quoted"', "two\nlines ", DOCSTRINGS],
)
@pytest.mark.parametrize("name", ["qwen2.5", "qwen3", "smollm2"])
def test_ollama_reads_the_system_prompt_and_the_end_of_the_prompt(
    name: str, system: str, tmp_path: Path
) -> None:
    folder = family(name, tmp_path)
    read = parsed(gguf_export.modelfile(folder, Path("model.gguf"), system))
    assert read.keys() <= {"FROM", "TEMPLATE", "SYSTEM", "PARAMETER"}
    (template,) = read["TEMPLATE"]
    ends = {"qwen3": "<|im_start|>assistant\n<think>\n\n</think>\n\n"}
    assert template.endswith("{{ end }}" + ends.get(name, "<|im_start|>assistant\n"))
    if system == DOCSTRINGS:
        assert "SYSTEM" not in read
        turn = template.removeprefix("{{ if not .System }}<|im_start|>system\n")
        turn = turn.partition("<|im_end|>")[0]
        for written, meant in (('{{ "\\"\\"\\"" }}', '"""'), ('{{ "{{" }}', "{{")):
            turn = turn.replace(written, meant)
        assert turn == system
    else:
        assert read["SYSTEM"] == [system]


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
        ("smollm2", "You are a helpful AI assistant"),
        ("qwen3", None),
    ],
)
def test_the_templates_own_system_prompt_is_told(
    name: str, own: str | None, tmp_path: Path
) -> None:
    read = parsed(gguf_export.modelfile(family(name, tmp_path), Path("model.gguf"), ""))
    assert read.get("SYSTEM") == (None if own is None else [own])


def test_what_no_modelfile_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TuteeError, match="ends in three quotes"):
        gguf_export.modelfile(family("llama3", tmp_path), Path("model.gguf"), DOCSTRINGS)


def test_both_stop_tokens_are_in_the_file(tmp_path: Path) -> None:
    import gguf

    folder = family("qwen1.5", tmp_path)
    pin_splitting(folder.path / "tokenizer.json", "qwen1.5")
    gguf_export.write(folder, tmp_path / "model.gguf", "f16")
    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    tokenizer: Any = load_tokenizer(folder)
    ids = [int(fields[f"tokenizer.ggml.{kind}_token_id"].contents()) for kind in ("eos", "eot")]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<|im_end|>", "<|endoftext|>"]
    stops = parsed(gguf_export.modelfile(folder, Path("model.gguf"), ""))["PARAMETER"]
    assert set(stops) == {'stop "<|im_end|>"', 'stop "<|endoftext|>"'}
