"""What a graphics card makes of Tutee: speed and peak memory of the chat and of each pass.

Random weights of two shapes, Qwen1.5-0.5B's and Qwen2.5-7B's, each whole in bfloat16 and in NF4,
and random tokens: neither changes what a step costs. The chat stands beside transformers'
`generate` on the same weights. Peak memory is what torch has allocated for its tensors.
"""

import functools
import gc
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from core.config import FourBit, RLTuning, Serving, Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_tokenizer
from core.runtime.device import device
from core.runtime.library_logging import hush
from core.serving.engine import Engine
from core.training import dpo, reward, rloo, sft
from core.training.rollout import Rollout
from core.training.run_control import RunControl
from data.tokenization import Sample, encode_prompt
from store.records import ChatMessage, Sampling
from tests.bench.passes import timed
from tests.bench.rivals import STORY
from tests.families import FAMILIES, make

SHAPES: dict[str, dict[str, Any]] = {
    "Qwen1.5-0.5B": {
        "vocab_size": 151936,
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "tie_word_embeddings": True,
    },
    "Qwen2.5-7B": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
    },
}
WEIGHTS: dict[str, FourBit] = {"bfloat16": "never", "NF4": "always"}
READ, WRITTEN, TOKENS, REPLY, SAMPLES, STEPS = 1024, 64, 256, 64, 8, 6
SETTINGS = Tuning(batch_size=SAMPLES, epochs=STEPS, rl=RLTuning(steps=STEPS, max_new_tokens=REPLY))
Row = tuple[str, str, str]
"""What was measured, how fast it was, and the most memory it took."""
ENDS = 64
"""One token in so many ends a reply, so that random replies have about the length of real ones."""


def run() -> Iterator[dict[str, object]]:
    if device() != "cuda":
        sys.exit("This benchmark needs a graphics card (CUDA).")
    yield from measured(SHAPES)


def measured(shapes: dict[str, dict[str, Any]]) -> Iterator[dict[str, object]]:
    hush()
    for name, shape in shapes.items():
        with tempfile.TemporaryDirectory() as scratch:
            whole = written(Path(scratch) / "model", shape)
            for kind, four_bit in WEIGHTS.items():
                folder = replace(whole, four_bit=four_bit)
                for what, figure, most in chain(chat(folder), passes(folder)):
                    yield {
                        "model": name,
                        "weights": kind,
                        "what": what,
                        "figure": figure,
                        "peak": most,
                    }


def written(path: Path, shape: dict[str, Any]) -> ModelFolder:
    """Random weights of `shape` in `path`, in bfloat16."""
    family = next(family for family in FAMILIES if family.name == "qwen2.5")
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device()):
            make(family, path, initializer_range=0.02, max_position_embeddings=4096, **shape)
    finally:
        torch.set_default_dtype(torch.float32)
    return find(str(path), path.parent, lambda event: None)


# -- chat ------------------------------------------------------------------------------------------


def chat(folder: ModelFolder) -> Iterator[Row]:
    forget()
    began = time.perf_counter()
    engine = Engine(folder, None, Serving())
    engine._stop = frozenset()
    reply(engine, STORY, 2)  # the first call of anything is slow
    ready = time.perf_counter() - began
    long = " ".join(str(number) for number in range(READ // 4))
    read = len(encode_prompt(engine.tokenizer, [ChatMessage(role="user", content=long)]))
    first, _ = reply(engine, long, 1)
    _, rate = reply(engine, STORY, WRITTEN)
    yield "ready to chat", f"{ready:.1f} s", peak()
    yield "prompt read", f"{read / first:.0f} tokens/s", peak()
    yield "reply written", f"{rate:.1f} tokens/s", peak()
    yield "reply written by generate", f"{generate(engine):.1f} tokens/s", peak()


def reply(engine: Engine, text: str, tokens: int) -> tuple[float, float]:
    """The seconds until the first token's scores are there, and the tokens a second after it."""
    sampling = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=tokens)
    began = time.perf_counter()
    turns = (ChatMessage(role="user", content=text),)
    logits = engine.backend.prefill(encode_prompt(engine.tokenizer, turns), lambda: False)
    assert logits is not None
    logits.sum().item()
    first = time.perf_counter() - began
    "".join(engine.stream(turns, sampling, 0))
    assert engine.last is not None
    return first, engine.last.tokens / engine.last.seconds


def generate(engine: Engine) -> float:
    """Tokens a second of transformers' own loop on the same model."""
    model: Any = engine.backend.model  # type: ignore[attr-defined]
    asked = encode_prompt(engine.tokenizer, [ChatMessage(role="user", content=STORY)])
    prompt = torch.tensor([asked], device=model.device)

    def seconds(tokens: int) -> float:
        began = time.perf_counter()
        model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=tokens,
            do_sample=False,
            eos_token_id=None,
        ).sum().item()
        return time.perf_counter() - began

    seconds(1)
    return WRITTEN / (seconds(WRITTEN + 1) - seconds(1))


# -- passes ----------------------------------------------------------------------------------------


def passes(folder: ModelFolder) -> Iterator[Row]:
    tokenizer = load_tokenizer(folder)
    drawn = random.Random(0)
    words = range(len(tokenizer))

    def sample(prompt: tuple[int, ...]) -> Sample:
        return Sample((*prompt, *drawn.choices(words, k=REPLY)), len(prompt))

    prompts = [tuple(drawn.choices(words, k=TOKENS - REPLY)) for _ in range(SAMPLES)]
    samples = [sample(prompt) for prompt in prompts]
    pairs = [(sample(prompt), sample(prompt)) for prompt in prompts]
    build: dict[str, Callable[[], Any]] = {
        "SFT": lambda: sft.build(folder, tokenizer, None, samples, SETTINGS, RunControl()),
        "DPO": lambda: dpo.build(folder, tokenizer, None, pairs, SETTINGS, RunControl()),
        "reward model": lambda: reward.build(
            folder, tokenizer, None, pairs, SETTINGS, RunControl()
        ),
        "RL": functools.partial(reinforced, folder, tokenizer, prompts),
    }
    for name, made in build.items():
        forget()
        trainer = made()
        seconds = statistics.median(timed(trainer, trainer.controlled_train))
        yield f"{name}, a step", f"{seconds:.2f} s", peak()
        del trainer


def length(rollouts: Sequence[Rollout]) -> list[float]:
    """A reward that costs nothing; the text of random tokens may be empty."""
    return [float(len(rollout.sample.input_ids)) for rollout in rollouts]


def reinforced(folder: ModelFolder, tokenizer: Any, prompts: list[rloo.Prompt]) -> Any:
    trainer = rloo.build(folder, tokenizer, None, prompts, length, SETTINGS, RunControl())
    trainer.stop = frozenset(range(0, trainer.model.config.vocab_size, ENDS))
    trainer.eos_token_ids = sorted(trainer.stop)
    return trainer


# -- memory ----------------------------------------------------------------------------------------


def forget() -> None:
    gc.collect()  # a trainer and its model point at each other
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak() -> str:
    """Since `forget`."""
    return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
