"""Where the time of one token goes, and how far the products are from the machine's memory.

One token after a chat of some hundred, on the built-in weights, as packed by default. torch's
profiler gives each operation's own time; what the profiler adds is taken out again by scaling to a
run without it. The memory's speed is that of summing a tensor far larger than any cache.
"""

import time
from collections.abc import Callable
from typing import Any

from core.config import Serving
from core.models.folder import find
from core.models.loading import load_tokenizer
from core.runtime.library_logging import hush
from core.serving.loading import load, read_config
from data.tokenization import encode_prompt
from store.paths import locate
from store.records import ChatMessage
from tests.bench.rivals import LONG

TOKENS = 100
PARTS = {
    "products with the weights": ("int4pack", "aten::mm", "aten::addmm"),
    "attention": ("aten::bmm", "softmax"),
}
REST = "norms, RoPE, casts, views"


def run() -> list[dict[str, object]]:
    hush()
    import torch
    from torch.profiler import ProfilerActivity, profile

    folder = find("builtin", locate(None).cache, lambda event: None)
    backend: Any = load(folder, read_config(folder), None, Serving())
    prompt = encode_prompt(load_tokenizer(folder), [ChatMessage(role="user", content=LONG)])
    logits = backend.prefill(prompt, lambda: False)
    token = int(logits.argmax())

    def some() -> None:
        for _ in range(TOKENS):
            backend.decode_step(token)

    some()
    spent = seconds(some) / TOKENS
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        profiled = seconds(some) / TOKENS
    parts = dict.fromkeys((*PARTS, REST), 0.0)
    for operation in watched.key_averages():
        part = next((p for p, keys in PARTS.items() if any(k in operation.key for k in keys)), REST)
        parts[part] += operation.self_cpu_time_total / 1e6 / TOKENS
    parts["Python between them"] = max(profiled - sum(parts.values()), 0.0)
    shares = {part: value / profiled for part, value in parts.items()}
    rows: list[dict[str, object]] = [
        {"part": part, "a token": f"{share * spent * 1e3:.2f} ms", "share": f"{share:.0%}"}
        for part, share in shares.items()
    ]
    rows.append({"part": "all", "a token": f"{spent * 1e3:.2f} ms", "share": "100%"})
    # Of the embedding only some rows are read.
    read = (backend.network.nbytes - backend.network._embedding.nbytes) / (
        shares["products with the weights"] * spent
    )
    large = torch.ones(64 * 2**20)
    speed = max(large.nbytes / seconds(lambda: large.sum()) for _ in range(5))
    rows.append(
        {
            "part": "the products read",
            "a token": f"{read / 1e9:.1f} GB/s",
            "share": f"{read / speed:.0%} of the memory's {speed / 1e9:.1f} GB/s",
        }
    )
    return rows


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
