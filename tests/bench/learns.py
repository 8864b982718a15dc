"""It learns, and what it costs elsewhere: sentiment corrections, exact replies to unseen reviews.

Everything goes through the commands, as a script would do it, each time in an empty home. Several
disjoint sets of 16, because one set says little about the next; then 64 and 200; then 64 in four
rounds of 16, each going on from the last one with replay, against all 64 at once. What was
forgotten is read from the loss on 50 general instructions (Alpaca) that are not about reviews, and
on 50 of the starter set, which the gate asks.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
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
from tests.bench.reviews import DATA, reviews

UNSEEN, GENERAL, LONGEST = 300, 50, 256
RUNS: dict[str, tuple[tuple[int, int], ...]] = {
    "16 (first set)": ((0, 16),),
    "16 (second set)": ((16, 32),),
    "16 (third set)": ((32, 48),),
    "16, no rehearsal": ((0, 16),),
    "64 (first set)": ((0, 64),),
    "64 (first set), seed 1": ((0, 64),),
    "64 (first set), seed 2": ((0, 64),),
    "64 (second set)": ((64, 128),),
    "64 (third set)": ((128, 192),),
    "64, no rehearsal": ((0, 64),),
    "64 in four rounds": ((0, 16), (16, 32), (32, 48), (48, 64)),
    "64 in four rounds, no replay": ((0, 16), (16, 32), (32, 48), (48, 64)),
    "200": ((0, 200),),
}
"""Name of the run → which corrections each of its trainings is given."""


def run() -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as scratch:
        untaught = exact(Path(scratch))
        kept = losses(None)
    for name, rounds in RUNS.items():
        with tempfile.TemporaryDirectory() as scratch:
            home = Path(scratch)
            (home / "config.toml").write_text(setting(name), encoding="utf-8")
            trained = [learn(home, first, last) for first, last in rounds]
            general, probes = (
                f"{now / before - 1:+.1%}"
                for now, before in zip(losses(adapter(home)), kept, strict=True)
            )
            yield {
                "corrections": name,
                "exact before": f"{untaught:.1%}",
                "exact after": f"{exact(home):.1%}",
                "training": f"{sum(float(str(t['seconds'])) for t in trained):.1f} s",
                "steps": sum(int(str(t["steps"])) for t in trained),
                "general loss": general,
                "probe loss": probes,
                "held back": "; ".join(held_back(trained)) or "no",
            }


def setting(name: str) -> str:
    """What the name of a run says of its settings, after the comma."""
    said, _, value = name.partition(", ")[2].partition(" ")
    if said == "no":
        return f"[tuning]\n{value} = 0.0\n"
    return f"[tuning]\n{said} = {value}\n" if said else ""


def learn(home: Path, first: int, last: int) -> dict[str, object]:
    """Teach the corrections `first` to `last`, and answer with what came of it."""
    corrections = home / "corrections.jsonl"
    with corrections.open("w", encoding="utf-8") as file:
        for review in reviews("train.tsv", last - first, skip=first):
            turns = [("user", review.prompt), ("assistant", review.reply)]
            messages = [{"role": role, "content": content} for role, content in turns]
            file.write(json.dumps({"messages": messages}) + "\n")
    tutee(home, "import", str(corrections))
    trained: dict[str, object] = json.loads(tutee(home, "train", "--passes", "sft", "--json"))
    tutee(home, "adapters", "use", str(trained["version"]))  # also one that was held back
    return trained


def held_back(trained: Sequence[dict[str, object]]) -> list[str]:
    passes = [done for run in trained for done in run["passes"]]  # type: ignore[attr-defined]
    return [reason for done in passes for reason in done["held_back"]]


def exact(home: Path) -> float:
    """The share of unseen reviews that get exactly the right reply, greedily."""
    unseen = reviews("dev.tsv", UNSEEN)
    questions = home / "questions.jsonl"
    rows = [json.dumps({"prompt": review.prompt}) for review in unseen]
    questions.write_text("\n".join(rows), encoding="utf-8")
    out = tutee(home, "ask", "--batch", str(questions), "--greedy", "--max-new-tokens", "16")
    replies = [json.loads(line)["reply"] for line in out.splitlines()]
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


def tutee(home: Path, *args: str) -> str:
    command = [sys.executable, "-m", "tui", "--home", str(home), *args]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
