"""It reinforces: RLOO towards a reward, judged on prompts the policy never saw.

Two rewards: the reward model that 100 tone pairs make, and a rule that a program can check (no
commas in one sentence). Replies are greedy when they are judged; distance is nats a token from the
base, as in the last step of the run.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from core.config import Config, Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_tokenizer
from core.runtime.library_logging import hush
from core.training import reward, rloo
from core.training.rollout import Prompt, Reward, Rollout
from core.training.run_control import RunControl
from data.tokenization import encode_prompt
from data.training_split import with_system
from store.paths import locate
from store.records import ChatMessage
from tests.bench import tone
from tests.bench.reviews import DATA

PAIRS, PROMPTS, UNSEEN = 100, 100, 60
SETTINGS = Tuning()
RULE = "Answer in one short sentence, without any commas."


def run() -> Iterator[dict[str, object]]:
    hush()
    folder = find("builtin", locate(None).cache, lambda event: None)
    tokenizer = load_tokenizer(folder)
    asked = [tone.prompt(tokenizer, pair) for pair in tone.pairs(PROMPTS + UNSEEN, skip=PAIRS)]
    with tempfile.TemporaryDirectory() as scratch:
        scorer = tone_scorer(folder, tokenizer, Path(scratch))
        yield measured("reward model of tone", folder, tokenizer, asked, scorer)
    yield measured("no comma", folder, tokenizer, ruled(tokenizer), no_comma)


def measured(
    name: str, folder: ModelFolder, tokenizer: Any, asked: Sequence[Prompt], worth: Reward
) -> dict[str, object]:
    started = time.perf_counter()
    train, unseen = asked[:-UNSEEN], asked[-UNSEEN:]
    trained = rloo.train(folder, tokenizer, None, train, unseen, worth, SETTINGS, RunControl())
    figures = trained.metrics
    rewards = [value for value in figures["rewards"] if value is not None]
    cut_off = figures["truncated"]
    return {
        "reward": name,
        "unseen before": f"{figures['holdout_reward_before']:.2f}",
        "unseen after": f"{figures['holdout_reward']:.2f}",
        "first five steps": f"{fmean(rewards[:5]):.2f}",
        "last five steps": f"{fmean(rewards[-5:]):.2f}",
        "KL": f"{figures['kl'][-1]:.3f}",
        "cut off": f"{fmean(cut_off[:5]):.0%} → {fmean(cut_off[-5:]):.0%}",
        "steps": trained.steps,
        "ended early": figures["stopped_because"] or "no",
        "a step": f"{trained.seconds / max(trained.steps, 1):.1f} s",
        "in all": f"{time.perf_counter() - started:.0f} s",
    }


def tone_scorer(folder: ModelFolder, tokenizer: Any, scratch: Path) -> Reward:
    """The reward of a model that learned from tone pairs."""
    pairs = [tone.samples(tokenizer, pair) for pair in tone.pairs(PAIRS)]
    reward.train(folder, tokenizer, None, pairs, [], SETTINGS, RunControl()).save(scratch)
    return partial(_scored, reward.Scorer(folder, scratch, RunControl()))


def _scored(scorer: reward.Scorer, rollouts: Sequence[Rollout]) -> list[float]:
    return scorer([rollout.sample for rollout in rollouts])


def ruled(tokenizer: Any) -> list[Prompt]:
    """Questions with a rule about the form of the answer."""
    path = DATA.parent / "llm-steer-instruct" / "ifeval_single_instr_format.jsonl"
    if not path.exists():
        sys.exit(f"This benchmark needs {path}, which is not part of the project.")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        tuple(
            encode_prompt(
                tokenizer,
                with_system(
                    (
                        ChatMessage(
                            role="user", content=f"{row['prompt_without_instruction']}\n{RULE}"
                        ),
                    ),
                    Config().chat.system_prompt,
                ),
            )
        )
        for row in rows[: PROMPTS + UNSEEN]
    ]


def no_comma(rollouts: Sequence[Rollout]) -> list[float]:
    """1 for a reply that keeps the rule, 0 for one that does not."""
    return [float("," not in rollout.text) for rollout in rollouts]
