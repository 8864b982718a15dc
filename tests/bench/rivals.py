"""Programs that answer from the same weights, each behind the same three calls.

`python -m tests.bench.rivals NAME FOLDER [GGUF]` measures one of them in a process of its own, so
that none shares memory or threads with another, and prints its figures as JSON. CTranslate2 and
llama.cpp (`pip install ctranslate2 xllamacpp`) are measured where they are installed.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from core.config import Serving, Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model, load_tokenizer
from core.training import lora
from data.tokenization import encode_prompt
from store.records import ChatMessage, Sampling

STORY = "Write a long story about a lighthouse keeper and the sea."
LONG = "Summarise this. " + "The keeper climbed the stairs and looked at the grey sea. " * 40
DECODED, TURNS, TOLD, REPLY = 64, 20, (1, 5, 20), 8
ROUNDS = 2


class Rival(Protocol):
    keeps: bool
    """It keeps what it has read of a chat."""

    def reply(self, turns: list[ChatMessage], tokens: int) -> tuple[str, float]:
        """A greedy reply of so many tokens at most, and the seconds until its first token."""
        ...


class Tutee:
    keeps = True

    def __init__(self, folder: ModelFolder, precision: Any, adapter: Path | None = None) -> None:
        from core.serving.engine import Engine

        self.engine = Engine(folder, adapter, Serving(precision=precision))
        self.engine._stop = frozenset()

    def reply(self, turns: list[ChatMessage], tokens: int) -> tuple[str, float]:
        sampling = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=tokens)
        started, first, pieces = time.perf_counter(), 0.0, []
        for piece in self.engine.stream(turns, sampling, 0):
            first = first or time.perf_counter() - started
            pieces.append(piece)
        # A single token may be half a character, which is no text.
        return "".join(pieces), first or time.perf_counter() - started


class Generate:
    """transformers' own loop, in float32."""

    keeps = False

    def __init__(self, folder: ModelFolder) -> None:
        self.tokenizer, self.model = load_tokenizer(folder), load_model(folder)

    def reply(self, turns: list[ChatMessage], tokens: int) -> tuple[str, float]:
        import torch

        prompt = torch.tensor([encode_prompt(self.tokenizer, turns)])
        options: dict[str, Any] = {"do_sample": False, "eos_token_id": None}
        started = time.perf_counter()
        self.model.generate(prompt, max_new_tokens=1, **options)
        first = time.perf_counter() - started
        if tokens == 1:
            return "", first
        output = self.model.generate(prompt, max_new_tokens=tokens, **options)
        return self.tokenizer.decode(output[0, prompt.shape[1] :]), first


class CTranslate2:
    """int8, converted beforehand; the conversion is not measured."""

    keeps = False

    def __init__(self, folder: ModelFolder, converted: Path) -> None:
        import ctranslate2

        self.tokenizer = load_tokenizer(folder)
        self.model = ctranslate2.Generator(str(converted), compute_type="int8", intra_threads=2)

    def reply(self, turns: list[ChatMessage], tokens: int) -> tuple[str, float]:
        prompt = self.tokenizer.convert_ids_to_tokens(encode_prompt(self.tokenizer, turns))
        started = time.perf_counter()
        first, ids = 0.0, []
        for step in self.model.generate_tokens(
            prompt, max_length=tokens, sampling_topk=1, end_token=[]
        ):
            first = first or time.perf_counter() - started
            ids.append(step.token_id)
        return self.tokenizer.decode(ids), first


class LlamaCpp:
    """llama.cpp's own server, in this process, on the GGUF the weights came from."""

    keeps = True

    def __init__(self, gguf: Path) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(gguf)
        params.n_ctx, params.cpuparams.n_threads, params.verbosity = 4096, 2, -1
        params.n_parallel, params.warmup = 1, True
        self.server = xllamacpp.Server(params)

    def reply(self, turns: list[ChatMessage], tokens: int) -> tuple[str, float]:
        asked = {
            "messages": [turn.model_dump() for turn in turns],
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": True,
            "stream": True,
        }
        started, first, pieces = time.perf_counter(), 0.0, []

        def take(chunk: Any) -> bool:
            nonlocal first
            for event in chunk if isinstance(chunk, list) else [chunk]:
                for choice in event.get("choices", []):
                    if text := choice["delta"].get("content"):
                        first = first or time.perf_counter() - started
                        pieces.append(text)
            return False

        self.server.handle_chat_completions(asked, take)
        return "".join(pieces), first


def measure(open_it: Callable[[], Rival]) -> dict[str, float]:
    """Tokens a second, seconds and MiB; the best of some rounds where a round is short."""
    started = time.perf_counter()
    rival = open_it()
    ready = time.perf_counter() - started
    rival.reply([ChatMessage(role="user", content="Hi.")], 4)  # the first call of anything is slow
    story, speeds, read = [ChatMessage(role="user", content=STORY)], [], []
    for number in range(ROUNDS):
        started = time.perf_counter()
        _, first = rival.reply(story, DECODED)
        whole = time.perf_counter() - started
        # transformers' reply reads the prompt twice, once for the first token alone.
        twice = first if isinstance(rival, Generate) else 0.0
        speeds.append((DECODED - 1) / (whole - first - twice))
        _, first = rival.reply([ChatMessage(role="user", content=f"{number}. {LONG}")], 1)
        read.append(first)
    firsts = conversation(rival)
    return {
        "ready": ready,
        "decode": max(speeds),
        "prompt": 1 / min(read),  # prompts a second; the caller knows their tokens
        **{f"turn {turn}": firsts[turn] for turn in TOLD},
        "memory": peak(),
    }


def peak() -> float:
    """MiB; of this program alone, where `ru_maxrss` begins with what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def conversation(rival: Rival) -> dict[int, float]:
    """Seconds to the first token at each turn of a chat."""
    turns: list[ChatMessage] = []
    firsts, text = {}, "The sea was calm and grey."
    for number in range(1, TURNS + 1):
        turns.append(ChatMessage(role="user", content=f"And what happened on day {number + 10}?"))
        if rival.keeps or number in TOLD:
            text, firsts[number] = rival.reply(turns, REPLY)
        turns.append(ChatMessage(role="assistant", content=text))
        if isinstance(rival, Tutee):  # as its thread does between two replies
            rival.engine.prefill(turns, REPLY, lambda: False)
    return firsts


def random_adapter(folder: ModelFolder, directory: Path) -> None:
    """Write an adapter as large as a trained one."""
    model = lora.with_lora(load_model(folder), Tuning(), task_type="CAUSAL_LM")
    model.save_pretrained(directory)


def main(name: str, path: Path, gguf: str = "") -> None:
    folder = ModelFolder(path, "", "", "")
    with tempfile.TemporaryDirectory() as scratch:
        openers: dict[str, Callable[[], Rival]] = {
            "generate": lambda: Generate(folder),
            "llama.cpp": lambda: LlamaCpp(Path(gguf)),
            "ctranslate2": lambda: CTranslate2(folder, Path(scratch) / "converted"),
            "tutee tuned": lambda: Tutee(folder, "auto", Path(scratch)),
        }
        if name == "tutee tuned":
            random_adapter(folder, Path(scratch))
        if name == "ctranslate2":
            from ctranslate2.converters import TransformersConverter

            TransformersConverter(str(path)).convert(
                str(Path(scratch) / "converted"), quantization="int8"
            )
        precision = name.removeprefix("tutee ")
        figures = measure(openers.get(name) or (lambda: Tutee(folder, precision)))
        if name in ("ctranslate2", "tutee tuned"):
            figures["memory"] = float("nan")  # what was made beforehand took more
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
