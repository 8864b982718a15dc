"""It prefers: from 20 and from 100 tone pairs, the reward model, DPO and KTO on unseen pairs.

There are 200 of these, and 300 others, because chance alone moves a share of 200 by 2 %. The reward
model is right where it scores the polite reply higher; DPO and KTO where the polite one gained more
on the base than the other (their implicit reward). KTO sees each side of a pair as a thumb of its
own. What of that is to be seen in a chat: greedy replies to 100 of the unseen prompts, scored by
the reward model of 100 pairs, before and after. And KTO on thumbs that people gave to Open
Assistant's replies, a third of the conversations held out: whether liked replies gain on disliked
ones there.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from core.config import Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_tokenizer
from core.runs.pass_duration import with_minimum_steps
from core.runtime.library_logging import hush
from core.serving.batch_generation import generate_batch
from core.serving.sampling import Sampler
from core.serving.transformers_decoder import prefill_batch
from core.training import dpo, kto, reward
from core.training.logprobs import base_reply_logps, reply_logps
from core.training.result import Trained
from core.training.run_control import RunControl
from data.imports import read_file
from data.tokenization import Sample, encode, stop_ids
from store.paths import locate
from store.records import Sampling, Verdict
from tests.bench.reviews import DATA
from tests.bench.tone import pairs, prompt, samples

SIZES, UNSEEN, OTHERS, ASKED = (100, 20), 200, 300, 100
REPLY_TOKENS = 64
THUMBS, THUMB_TOKENS = 120, 400
SETTINGS = Tuning()


def run() -> Iterator[dict[str, object]]:
    hush()
    folder = find("builtin", locate(None).cache, lambda event: None)
    tokenizer = load_tokenizer(folder)
    asked = pairs(UNSEEN, skip=900)
    test = [samples(tokenizer, pair) for pair in asked]
    others = [samples(tokenizer, pair) for pair in pairs(OTHERS, skip=500)]
    prompts = [prompt(tokenizer, pair) for pair in asked[:ASKED]]
    scores: reward.Scorer | None = None
    for size in SIZES:
        train = [samples(tokenizer, pair) for pair in pairs(size)]
        thumbs = [kto.LabeledReply(pair[side], side == 0) for pair in train for side in (0, 1)]
        settings = with_minimum_steps(SETTINGS, size, SETTINGS.preference.minimum_steps)
        started = time.perf_counter()
        scored = reward.train(folder, tokenizer, None, train, test, settings, RunControl())
        if scores is None:
            scores = scorer(folder, scored)
        accuracy, margin = scored.metrics["holdout_accuracy"], scored.metrics["holdout_margin"]
        also = reward.measure(scored.model, others, RunControl())["holdout_accuracy"]
        right = f"{accuracy:.1%}, {also:.1%}"
        yield row("reward model", f"{size} pairs", scored, right, margin, "", started)
        policies: dict[str, Callable[[], Trained]] = {
            "DPO": partial(dpo.train, folder, tokenizer, None, train, [], settings, RunControl()),
            "KTO": partial(kto.train, folder, tokenizer, None, thumbs, [], settings, RunControl()),
        }
        for name, train_policy in policies.items():
            started = time.perf_counter()
            policy = train_policy()
            accuracy, margin = implicit(policy.model, test)
            also, _ = implicit(policy.model, others)
            with policy.model.disable_adapter():
                before = tone(tokenizer, prompts, scores, policy.model)
            shift = f"{before:.2f} → {tone(tokenizer, prompts, scores, policy.model):.2f}"
            right = f"{accuracy:.1%}, {also:.1%}"
            yield row(name, f"{size} pairs", policy, right, margin, shift, started)
    yield liked(folder, tokenizer)


def implicit(model: Any, test: Sequence[tuple[Sample, Sample]]) -> tuple[float, float]:
    """Share of pairs whose chosen reply gained more on the base, and the mean margin in nats."""
    margins = [
        (chosen - base_chosen) - (rejected - base_rejected)
        for (chosen, rejected), (base_chosen, base_rejected) in zip(
            reply_logps(model, test, RunControl()),
            base_reply_logps(model, test, RunControl()),
            strict=True,
        )
    ]
    return sum(margin > 0 for margin in margins) / len(margins), fmean(margins)


def scorer(folder: ModelFolder, trained: Trained) -> reward.Scorer:
    with tempfile.TemporaryDirectory() as scratch:
        trained.save(Path(scratch))
        return reward.Scorer(folder, Path(scratch), RunControl())


def tone(
    tokenizer: Any, prompts: Sequence[tuple[int, ...]], scores: reward.Scorer, model: Any
) -> float:
    """Mean reward of the greedy replies of `model`."""
    model.eval()
    sampler = partial(Sampler, Sampling(temperature=0), 0)
    prefill = partial(prefill_batch, model)
    replies = generate_batch(prefill, prompts, sampler, stop_ids(tokenizer), REPLY_TOKENS)
    return fmean(scores([Sample((*p, *r), len(p)) for p, r in zip(prompts, replies, strict=True)]))


def liked(folder: ModelFolder, tokenizer: Any) -> dict[str, object]:
    """KTO on thumbs that people gave."""
    path = DATA.parent / "open-assistant" / "en_100_tree.jsonl"
    if not path.exists():
        sys.exit(f"This benchmark needs {path}, which is not part of the project.")
    verdicts = [r for r in read_file(path).records if isinstance(r, Verdict)]
    random.Random(0).shuffle(verdicts)
    questions = list(dict.fromkeys(verdict.prompt[0].content for verdict in verdicts))
    held = set(questions[: len(questions) // 3])
    train: list[kto.LabeledReply] = []
    test: list[kto.LabeledReply] = []
    for verdict in verdicts:
        sample = encode(tokenizer, verdict.prompt, verdict.completion)
        if len(sample.input_ids) <= THUMB_TOKENS:
            side = test if verdict.prompt[0].content in held else train
            side.append(kto.LabeledReply(sample, verdict.label))
    started = time.perf_counter()
    trained = kto.train(
        folder, tokenizer, None, train[:THUMBS], test[:THUMBS], SETTINGS, RunControl()
    )
    margin = trained.metrics["holdout_margin"]
    name = f"{len(train[:THUMBS])} thumbs, Open Assistant"
    return row("KTO", name, trained, "", margin, "", started)


def row(
    name: str,
    data: str,
    trained: Trained,
    right: str,
    margin: float,
    shift: str,
    started: float,
) -> dict[str, object]:
    return {
        "pass": name,
        "data": data,
        "right on 200 unseen, on 300 others": right,
        "margin": f"{margin:.2f}",
        "tone of 100 replies": shift,
        "steps": trained.steps,
        "training": f"{trained.seconds:.0f} s",
        "with setting up and measuring": f"{time.perf_counter() - started:.0f} s",
    }
