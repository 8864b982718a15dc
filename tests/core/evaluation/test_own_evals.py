"""Eval files as people write them, and versions side by side."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.evaluation.own_evals import ItemResult, compare, read, run
from store.errors import TuteeError
from store.records import Sampling

if TYPE_CHECKING:
    from core.serving.engine import Engine


def written(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_a_row_of_each_kind(tmp_path: Path) -> None:
    plain, chat, ifeval = read(
        written(
            tmp_path / "evals.jsonl",
            {"id": "sum", "prompt": "2 + 2?", "contains": "4", "max_words": 2, "note": "easy"},
            {
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Hi!"},
                    {"role": "user", "content": "Bye"},
                ],
                "system": "Be brief.",
                "exact": "Bye!",
            },
            {
                "key": 1000,
                "prompt": "Write without commas.",
                "instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase"],
                "kwargs": [{}, {"relation": None}],
            },
        )
    )
    assert plain.id == "sum"
    assert plain.failed("It is 5 I think") == ("contains", "max_words")
    assert plain.failed("4") == ()
    assert [message.role for message in chat.messages] == ["system", "user", "assistant", "user"]
    assert ifeval.id == "1000"
    assert ifeval.failed("A, b") == ("punctuation:no_comma 1", "change_case:english_lowercase 2")


def test_a_table_has_checks_in_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "evals.csv"
    path.write_text("prompt,exact,max_words\ncapital of France?,Paris,\nname a colour,,1\n")
    first, second = read(path)
    assert tuple(first.checks) == ("exact",)
    assert second.failed("light blue") == ("max_words",)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "a"}, "no check"),
        ({"exact": "a"}, "no prompt"),
        ({"prompt": " ", "exact": "a"}, "no prompt"),
        ({"prompt": "a", "exactly": "a"}, "no check “exactly”"),
        ({"prompt": "a", "regex": "("}, "regex: not a regular expression"),
        ({"messages": [{"role": "assistant", "content": "a"}], "exact": "a"}, "the user's"),
        ({"messages": [{"role": "robot", "content": "a"}], "exact": "a"}, "Input should be"),
        ({"prompt": "a", "instruction_id_list": ["x:y"], "kwargs": [{}]}, "no instruction"),
        ({"prompt": "a", "instruction_id_list": ["x:y"], "kwargs": []}, "same length"),
        (["prompt"], "no object"),
    ],
)
def test_a_row_that_is_no_eval_is_told_with_its_line(row: object, why: str, tmp_path: Path) -> None:
    path = written(tmp_path / "evals.jsonl", {"prompt": "a", "exact": "a"}, row)
    with pytest.raises(TuteeError, match=why) as caught:
        read(path)
    assert "Line 2" in caught.value.title


def test_replies_are_checked(engine: "Engine", tmp_path: Path) -> None:
    greedy = Sampling(temperature=0, top_p=1, repetition_penalty=1, max_new_tokens=8)
    path = tmp_path / "evals.jsonl"
    items = read(written(path, *({"prompt": f"hello {n}", "min_words": 0} for n in range(40))))
    done: list[int] = []
    results = run(engine, items, "Be brief.", greedy, done.append)
    assert done == [32, 40]
    assert all(result.reply and not result.failed for result in results)
    replies = [{"prompt": r.prompt, "exact": r.reply} for r in results[:3] if r.reply.strip()]
    again = run(engine, read(written(path, *replies)), "Be brief.", greedy)
    assert [result.failed for result in again] == [()] * len(replies)
    # With another system prompt the replies are others.
    other = run(engine, read(path), "hello hello hello", greedy)
    assert any(result.failed for result in other)


def test_versions_are_compared_with_the_first() -> None:
    def results(*right: bool) -> tuple[ItemResult, ...]:
        return tuple(
            ItemResult(str(n), "", "", () if r else ("exact",)) for n, r in enumerate(right)
        )

    base = results(*[False] * 10, True, True)
    better = results(*[True] * 10, True, False)
    one, two = compare({"base": base, "v1": better})
    assert (one.right, one.gained, one.lost, one.p) == (2, 0, 0, 1.0)
    assert (two.right, two.gained, two.lost) == (11, 10, 1)
    assert two.p == pytest.approx(2 * 12 / 2**11)
    assert two.low < 11 / 12 < two.high
