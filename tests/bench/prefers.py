"""It prefers: from 20 and from 100 tone pairs, the reward model, DPO and KTO on 200 unseen pairs.

The reward model is right where it scores the polite reply higher; DPO and KTO where the polite one
gained more on the base than the other (their implicit reward). KTO sees each side of a pair as a
thumb of its own.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from core.config import Tuning
from core.models import find, load_tokenizer
from core.passes import dpo, kto, reward
from core.passes.logps import measure, measure_base
from core.passes.result import Trained
from core.passes.watch import Watch
from core.quiet import hush
from data.masks import Sample
from store.paths import locate
from tests.bench.tone import pairs, samples

SIZES, UNSEEN = (20, 100), 200
SETTINGS = Tuning()


def run() -> Iterator[dict[str, object]]:
    hush()
    folder = find("builtin", locate(None).cache, lambda event: None)
    tokenizer = load_tokenizer(folder)
    test = [samples(tokenizer, pair) for pair in pairs(UNSEEN, skip=900)]
    for size in SIZES:
        train = [samples(tokenizer, pair) for pair in pairs(size)]
        thumbs = [kto.Judged(pair[side], side == 0) for pair in train for side in (0, 1)]
        started = time.perf_counter()
        scored = reward.train(folder, tokenizer, train, test, SETTINGS, Watch())
        accuracy, margin = scored.metrics["holdout_accuracy"], scored.metrics["holdout_margin"]
        yield row("reward model", size, scored, accuracy, margin, started)
        policies: dict[str, Callable[[], Trained]] = {
            "DPO": partial(dpo.train, folder, tokenizer, None, train, [], SETTINGS, Watch()),
            "KTO": partial(kto.train, folder, tokenizer, None, thumbs, [], SETTINGS, Watch()),
        }
        for name, train_policy in policies.items():
            started = time.perf_counter()
            policy = train_policy()
            accuracy, margin = implicit(policy.model, test)
            yield row(name, size, policy, accuracy, margin, started)


def implicit(model: Any, test: Sequence[tuple[Sample, Sample]]) -> tuple[float, float]:
    """Share of pairs whose chosen reply gained more on the base, and the mean margin in nats."""
    margins = [
        (chosen - base_chosen) - (rejected - base_rejected)
        for (chosen, rejected), (base_chosen, base_rejected) in zip(
            measure(model, test, Watch()), measure_base(model, test, Watch()), strict=True
        )
    ]
    return sum(margin > 0 for margin in margins) / len(margins), sum(margins) / len(margins)


def row(
    name: str, size: int, trained: Trained, accuracy: float, margin: float, started: float
) -> dict[str, object]:
    return {
        "pass": name,
        "pairs": size,
        "right on unseen": f"{accuracy:.1%}",
        "margin": f"{margin:.2f}",
        "steps": trained.steps,
        "training": f"{trained.seconds:.0f} s",
        "with setting up and measuring": f"{time.perf_counter() - started:.0f} s",
    }
