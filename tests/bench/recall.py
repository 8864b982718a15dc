"""What recall alone brings: corrections put before questions, nothing trained.

The folders of lessons beside the project (`tests.bench.lessons`) are imported together with records
of others, and everything is asked with recall and without. `found` is the share of the reworded
facts for which the right correction was put before the question, `false` that of other people's
questions for which anything was. `ask --batch` does it all, as a script would.

    python -m tests.bench recall

The last row has the same answers after training (`tests.bench.lessons`), with recall off and on:
what was learned has left recall by then, so they should be alike.

Left out: time, which `ask --batch` does not tell; the search itself takes milliseconds.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from store.paths import locate
from store.repository import Repository
from tests.bench.commands import exchange, teach, tutee
from tests.bench.lessons import LESSONS, Question, asked, is_right, lines
from tests.bench.reviews import DATA

OTHERS, UNRELATED = 500, 200
REPLY_TOKENS = 64


def run() -> Iterator[dict[str, object]]:
    folder = LESSONS / "facts"
    questions = asked(folder)
    taught = [row["messages"] for row in lines(folder / "train.jsonl")]
    others, unrelated = _others()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        rows = [*taught, *(exchange(*other) for other in others)]
        file = home / "records.jsonl"
        file.write_text("\n".join(json.dumps({"messages": row}) for row in rows), encoding="utf-8")
        tutee(home, "import", str(file))
        wanted = _record_ids(home, taught)
        recalling = _ask(home, [q.prompt for q in questions])
        yield {
            "by": "recall alone",
            **_shares(questions, recalling),
            "found": _found(questions, recalling, wanted),
            "false": _false(_ask(home, unrelated, "--max-new-tokens", "1")),
            "replies": recalling,
        }
        yield {
            "by": "base",
            **_shares(questions, _ask(home, [q.prompt for q in questions], "--no-recall")),
        }
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        teach(home, taught)
        for by, options in (("training alone", ("--no-recall",)), ("both", ())):
            replies = _ask(home, [q.prompt for q in questions], *options)
            yield {"by": by, **_shares(questions, replies), "replies": replies}


def _others() -> tuple[list[tuple[str, str]], list[str]]:
    """Return exchanges of other people, and questions of others again."""
    sets = ("rasbt-instruction/instruction-data-with-preference", "llama-factory/alpaca_en_demo")
    first, second = (
        [
            (f"{row['instruction']}\n{row.get('input', '')}".strip(), row["output"])
            for row in json.loads((DATA.parent / f"{name}.json").read_text(encoding="utf-8"))
        ]
        for name in sets
    )
    return first[:OTHERS], [prompt for prompt, _reply in second[:UNRELATED]]


def _record_ids(home: Path, taught: Sequence[Any]) -> dict[str, str]:
    """Return the record of each taught question, by what it answers."""
    with Repository.open(locate(home), write=False) as repository:
        records = {r.prompt[-1].content: r.id for r in repository.records()}
    return {messages[-1]["content"]: records[messages[0]["content"]] for messages in taught}


def _ask(home: Path, prompts: Sequence[str], *options: str) -> list[dict[str, Any]]:
    file = home / "questions.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": one}) for one in prompts), encoding="utf-8")
    limits = () if "--max-new-tokens" in options else ("--max-new-tokens", str(REPLY_TOKENS))
    out = tutee(home, "ask", "--greedy", *limits, *options, "--batch", str(file))
    return [json.loads(line) for line in out.strip("\n").split("\n")]


def _shares(questions: Sequence[Question], rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    shares = {}
    for group in ("taught", "reworded", "kept"):
        pairs = [(q, row) for q, row in zip(questions, rows, strict=True) if q.group == group]
        right = sum(is_right(q.check, q.want, row["reply"]) for q, row in pairs)
        shares[group] = f"{right} of {len(pairs)}"
    return shares


def _found(
    questions: Sequence[Question], rows: Sequence[dict[str, Any]], wanted: dict[str, str]
) -> str:
    pairs = [(q, r) for q, r in zip(questions, rows, strict=True) if q.group == "reworded"]
    found = sum(
        any(record_id in row["recalled"] for reply, record_id in wanted.items() if q.want in reply)
        for q, row in pairs
    )
    return f"{found} of {len(pairs)}"


def _false(rows: Sequence[dict[str, Any]]) -> str:
    return f"{sum(bool(row['recalled']) for row in rows)} of {len(rows)}"
