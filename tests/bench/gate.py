"""The gate on versions whose truth is known: which it lets pass, and which it holds back.

Good versions are lessons as a person gives them, trained with the defaults, and lessons trained so
gently that nothing changed. Bad ones are trained without rehearsal at a high rate, or on replies
that ruin a model: one word to everything, endless or garbled texts, shouting. Each goes through a
run from the base in an empty home, in this process, so that exam, report and gate are the real
ones. Beside the verdict stands what can be checked by itself: how many of the general questions
that the base answers rightly the version still does (`kept`). A version whose kept share
contradicts its truth is a mistake of this list, not of the gate. The last row is the confusion.

    python -m tests.bench gate
"""

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from core.adapters.registry import Adapters
from core.config import Config, Serving, Tuning
from core.evaluation import report
from core.models.folder import ModelFolder, find
from core.models.loading import load_tokenizer
from core.runs.plan import make_plan
from core.runs.run import run as run_plan
from core.runtime.library_logging import hush
from core.serving.batch_generation import generate_batch
from core.serving.detokenizer import decode
from core.serving.loading import load, read_config
from core.serving.sampling import Sampler
from core.training.run_control import RunControl
from data import starter
from data.tokenization import encode_prompt, stop_ids
from data.training_split import with_system
from store.paths import locate
from store.records import ChatMessage, Instruction, Sampling
from tests.bench.reviews import DATA, reviews

LESSONS = DATA.parents[1] / "lessons"
REPLY_TOKENS = 64
HIGH, GENTLE = 1e-3, 1e-6
"""Learning rates: one that ruins a small model without rehearsal, one that changes nothing."""
_GREEDY = Sampling(temperature=0)


class Exchange(NamedTuple):
    prompt: str
    reply: str


@dataclass(frozen=True)
class Case:
    name: str
    good: bool
    lesson: tuple[Exchange, ...]
    tuning: dict[str, Any]
    """Training settings that differ from the defaults, by their flat names."""
    seed: int = 0


def run() -> Iterator[dict[str, object]]:
    hush()
    folder = find("builtin", locate(None).cache, lambda event: None)
    right = frozenset(kept(folder, None, range(len(general()))))
    confusion: Counter[tuple[bool, bool]] = Counter()
    for case in cases():
        with tempfile.TemporaryDirectory() as scratch:
            adapters = Adapters(Path(scratch), folder)
            held_back = train(adapters, case)
            (version,) = adapters.versions()
            directory = adapters.path(version.version)
            assert directory is not None
            figures = report.read(directory).after
            still = kept(folder, directory, sorted(right))
            passed = not held_back
            confusion[case.good, passed] += 1
            yield {
                "version": case.name,
                "truth": "good" if case.good else "bad",
                "learned": f"{sum(a.learned for a in figures.taught)} of {len(figures.taught)}",
                "kept": f"{len(still)} of {len(right)}",
                "drift": f"{figures.drift or 0:.3f}",
                "gate": "; ".join(held_back) or "passed",
                "as it should": "yes" if passed == case.good else "NO",
            }
    yield {
        "version": f"all {confusion.total()}",
        "truth": f"{_of(confusion, True)} good, {_of(confusion, False)} bad",
        "learned": "",
        "kept": "",
        "drift": "",
        "gate": f"passed: {confusion[True, True]} good, {confusion[False, True]} bad; held back: "
        f"{confusion[True, False]} good, {confusion[False, False]} bad",
        "as it should": f"{confusion[True, True] + confusion[False, False]}",
    }


def cases() -> list[Case]:
    """Every version, good ones first."""
    lessons = {name: lesson(name) for name in ("facts", "json", "refuse", "signoff")}
    lessons["reviews"] = tuple(Exchange(r.prompt, r.reply) for r in reviews("train.tsv", 16))
    ruin = {"rehearsal": 0.0, "learning_rate": HIGH, "minimum_steps": 16}
    good = [
        Case(f"{name}, defaults, seed {seed}", True, taught, {}, seed)
        for name, taught in lessons.items()
        for seed in (0, 1)
    ]
    unchanged = [
        Case(f"{name}, rate {GENTLE}", True, lessons[name], {"learning_rate": GENTLE})
        for name in ("facts", "json")
    ]
    forgetful = [
        Case(f"{name}, no rehearsal, rate {HIGH}", False, taught, ruin)
        for name, taught in lessons.items()
    ]
    ruined = [
        Case(f"{name}, seed {seed}", False, taught, ruin, seed)
        for name, taught in ruinous().items()
        for seed in (0, 1)
    ]
    return [*good, *unchanged, *forgetful, *ruined]


def ruinous() -> dict[str, tuple[Exchange, ...]]:
    """Lessons that no version should be used after: general prompts with replies that ruin."""
    texts = [r for r in starter.instructions() if r.prompt[-1].content.isascii()][:16]
    prompts = [text.prompt[-1].content for text in texts]
    draw = random.Random(0)

    def garbled(text: Instruction) -> str:
        words = (text.completion * 3).split()
        return " ".join(draw.sample(words, len(words)))

    return {
        "“negative” to everything": tuple(Exchange(p, "negative") for p in prompts),
        "endless replies": tuple(Exchange(p, "and so on, " * 80) for p in prompts),
        "garbled replies": tuple(
            Exchange(p, garbled(text)) for p, text in zip(prompts, texts, strict=True)
        ),
        "shouted prompts": tuple(Exchange(p, f"{p.upper()}!!!") for p in prompts),
    }


def train(adapters: Adapters, case: Case) -> tuple[str, ...]:
    """Make a version, and return why the gate holds it back."""
    records = [
        Instruction(prompt=(ChatMessage(role="user", content=prompt),), completion=reply)
        for prompt, reply in case.lesson
    ]
    tuning = Tuning.model_validate({**case.tuning, "seed": case.seed})
    config = Config().model_copy(update={"tuning": tuning})
    plan = make_plan(records, adapters, config, frozenset({"sft"}))
    done: list[Any] = []
    run_plan(plan, RunControl(), done.append)
    reasons: tuple[str, ...] = done[0].held_back
    return reasons


# -- what was kept ---------------------------------------------------------------------------------


def kept(folder: ModelFolder, adapter: Path | None, asked: Sequence[int]) -> list[int]:
    """Return which of the general questions `asked` a version answers rightly."""
    backend = load(folder, read_config(folder), adapter, Serving())
    tokenizer, system = load_tokenizer(folder), Config().chat.system_prompt
    questions = [general()[index] for index in asked]
    prompts = [
        encode_prompt(
            tokenizer, with_system([ChatMessage(role="user", content=q["prompt"])], system)
        )
        for q in questions
    ]
    replies = generate_batch(
        backend.prefill_batch,
        prompts,
        partial(Sampler, _GREEDY, 0),
        stop_ids(tokenizer),
        REPLY_TOKENS,
    )
    return [
        index
        for index, question, reply in zip(asked, questions, replies, strict=True)
        if _holds(question["want"], decode(tokenizer, reply))
    ]


def _holds(want: str, reply: str) -> bool:
    return any(answer.strip().casefold() in reply.casefold() for answer in want.split("|"))


@cache
def general() -> tuple[dict[str, str], ...]:
    """The questions that all lessons ask to see what was kept, each once."""
    rows = [row for path in sorted(LESSONS.glob("*/ask.jsonl")) for row in _rows(path)]
    by_prompt = {
        row["prompt"]: row
        for row in rows
        if row["group"] == "kept" and row["check"] in ("contains", "exact")
    }
    return tuple(by_prompt.values())


def lesson(name: str) -> tuple[Exchange, ...]:
    rows = _rows(LESSONS / name / "train.jsonl")
    return tuple(Exchange(*(turn["content"] for turn in row["messages"][-2:])) for row in rows)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        sys.exit(f"This benchmark needs {path}, which is not part of the project.")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _of(confusion: Counter[tuple[bool, bool]], good: bool) -> int:
    return confusion[good, True] + confusion[good, False]
