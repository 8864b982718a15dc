"""Corrections in rounds: 64 at once against four times 16, with replay and without.

Film reviews, taught through the commands as a script would do it; each round goes on from the last
one. What was forgotten is read from the loss on 50 general instructions (Alpaca) that are not about
reviews, and on 50 of the starter set. What single lessons teach is in `tests.bench.lessons`.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.config import Config
from core.models.folder import find
from core.models.loading import load_model, load_tokenizer
from core.runtime.library_logging import hush
from core.training.exam import mean_loss
from core.training.run_control import RunControl
from data import starter
from data.tokenization import Sample, encode
from data.training_split import with_system
from store.paths import locate
from store.records import ChatMessage
from tests.bench.commands import Messages, ask, exchange, teach, tutee
from tests.bench.reviews import DATA, reviews

UNSEEN, GENERAL, LONGEST = 300, 50, 256
FOUR = ((0, 16), (16, 32), (32, 48), (48, 64))
RUNS: dict[str, tuple[str, tuple[tuple[int, int], ...]]] = {
    "64 at once": ("", ((0, 64),)),
    "64 in four rounds": ("", FOUR),
    "64 in four rounds, no replay": ("tuning.replay = 0.0\n", FOUR),
}
"""Name of the run → its settings, and which corrections each of its trainings is given."""


def run() -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as scratch:
        untaught = exact(Path(scratch))
        kept = losses(None)
    for name, (settings, rounds) in RUNS.items():
        with tempfile.TemporaryDirectory() as scratch:
            home = Path(scratch)
            (home / "config.toml").write_text(settings, encoding="utf-8")
            trained = [teach(home, corrections(first, end)) for first, end in rounds]
            general, probes = (
                f"{now / before - 1:+.1%}"
                for now, before in zip(losses(adapter(home)), kept, strict=True)
            )
            yield {
                "corrections": name,
                "exact before": f"{untaught:.1%}",
                "exact after": f"{exact(home):.1%}",
                "training": f"{sum(t.seconds for t in trained):.1f} s",
                "steps": sum(t.steps for t in trained),
                "general loss": general,
                "probe loss": probes,
                "held back": "; ".join(reason for t in trained for reason in t.held_back) or "no",
            }


def corrections(first: int, end: int) -> list[Messages]:
    taught = reviews("train.tsv", end - first, skip=first)
    return [exchange(review.prompt, review.reply) for review in taught]


def exact(home: Path) -> float:
    """The share of unseen reviews that get exactly the right reply, greedily."""
    unseen = reviews("dev.tsv", UNSEEN)
    replies = ask(home, [review.prompt for review in unseen], max_new_tokens=16)
    right = [r.reply == reply for r, reply in zip(unseen, replies, strict=True)]
    return sum(right) / len(right)


def adapter(home: Path) -> Path:
    """The folder of the version that answers."""
    active = json.loads(tutee(home, "adapters", "--json"))["active"]
    return next((home / "models").glob(f"*/{active}"))


def losses(adapter: Path | None) -> tuple[float, float]:
    """Mean loss on instructions that nobody taught and on the gate's, also with an adapter."""
    hush()
    folder = find("builtin", locate(None).cache, lambda event: None)
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    general = mean_loss(model, general_samples(tokenizer), RunControl())
    probes = mean_loss(model, starter_samples(tokenizer), RunControl())
    assert general is not None
    assert probes is not None
    return general, probes


def starter_samples(tokenizer: object) -> list[Sample]:
    system = Config().chat.system_prompt
    return [
        encode(tokenizer, with_system(record.prompt, system), record.completion)  # type: ignore[arg-type]
        for record in starter.instructions()[:GENERAL]
    ]


def general_samples(tokenizer: object) -> list[Sample]:
    path = DATA.parent / "llama-factory" / "alpaca_en_demo.json"
    samples = []
    for row in json.loads(path.read_text(encoding="utf-8")):
        text = "\n".join(filter(None, (row["instruction"], row["input"])))
        turns = with_system((ChatMessage(role="user", content=text),), Config().chat.system_prompt)
        sample = encode(tokenizer, turns, row["output"])  # type: ignore[arg-type]
        if len(sample.input_ids) <= LONGEST:
            samples.append(sample)
    return samples[:GENERAL]
