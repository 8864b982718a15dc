"""What counts as right in the benchmark of lessons, and what its shares are counted over."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench import lessons
from tests.bench.commands import Training, exchange
from tests.bench.lessons import Answer, Lesson, Outcome, Question, Runs, arguments, is_right, row


@pytest.mark.parametrize(
    ("check", "want", "reply", "right"),
    [
        ("exact", "positive", " positive\n", True),
        ("exact", "positive", "Positive.", False),
        ("contains", "two|2", "It has Two wheels.", True),
        ("contains", "two|2", "It has three.", False),
        ("absent", "lawyer|attorney", "Ask an Attorney.", False),
        ("absent", "lawyer|attorney", "Water it weekly.", True),
        ("suffix", "That is all from me", "A comet. That is all from me. \n", True),
        ("suffix", "That is all from me.", "A comet. That is all from me!", True),
        ("suffix", "That is all from me", "That is all from me. Or not.", False),
        ("json", '{"item": "vase", "price": 135}', '{"price":135, "item":"vase"}\n', True),
        ("json", '{"item": "vase", "price": 135}', '{"item": "vase", "price": "135"}', False),
        ("json", '{"item": "vase", "price": 135}', 'Here: {"item": "vase", "price": 135}', False),
        ("json", '{"item": "vase"}', '["item", "vase"]', False),
    ],
)
def test_a_reply_is_right(check: str, want: str, reply: str, right: bool) -> None:
    assert is_right(check, want, reply) is right


def test_an_unknown_check_is_no_wrong_reply() -> None:
    with pytest.raises(ValueError, match="almost"):
        is_right("almost", "a", "a")


def answer(group: str, base: str, reply: str) -> Answer:
    return Answer(Question("?", group, "contains", "yes"), base, reply)


def test_kept_counts_what_the_base_had_right() -> None:
    answers = [
        answer("taught", "no", "yes"),
        answer("kept", "yes, it is", "yes"),
        answer("kept", "yes", "no"),
        answer("kept", "no", "yes"),
    ]
    training = Training(steps=16, seconds=25, command=104, held_back=("loss rose",))
    figures = row([Outcome("facts", "Tutee", 0, answers, training)], {})
    assert figures["taught"] == "1/1 (100%)"
    assert figures["reworded"] == "–"
    assert figures["kept"] == "1/2 (50%)"
    assert figures["characters"] == "6 → 2"
    assert figures["held back"] == "loss rose"


def test_seeds_are_put_together() -> None:
    outcomes = [
        Outcome("facts", "Tutee", seed, [answer("taught", "no", reply)], training)
        for seed, reply, training in (
            (0, "yes", Training(steps=10, seconds=20, command=30)),
            (1, "no", Training(steps=20, seconds=40, command=60, held_back=("loss rose",))),
        )
    ]
    figures = row(outcomes, {})
    assert figures["seed"] == "0, 1"
    assert figures["taught"] == "1/2 (50%)"
    assert (figures["steps"], figures["training"], figures["command"]) == ("15", "30 s", "45 s")
    assert figures["held back"] == "1 of 2"


def test_settings_are_checked_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert arguments(["--set", "tuning.epochs=2"]).settings == {"tuning.epochs": "2"}
    with pytest.raises(SystemExit):
        arguments(["--set", "tuning.epoch=2"])
    assert "tuning.epoch" in capsys.readouterr().err


def test_lessons_in_turn_share_a_home_and_are_asked_again_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taught: dict[Path, list[str]] = {}

    def teach(home: Path, corrections: Sequence[object]) -> Training:
        assert (home / "config.toml").read_text() == "tuning.seed = 1\ntuning.replay = 0\n"
        taught.setdefault(home, []).append(str(corrections[0]))
        return Training(steps=1, seconds=1, command=1)

    def ask(home: Path, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        return [f"after {len(taught.get(home, []))}" for _ in prompts]

    monkeypatch.setattr(lessons, "teach", teach)
    monkeypatch.setattr(lessons, "ask", ask)
    both = [
        Lesson(name, (exchange(name, "yes"),), (Question(name, "taught", "contains", "yes"),))
        for name in ("facts", "form")
    ]
    outcomes = list(Runs({"tuning.replay": "0"}).in_turn(both, seed=1))
    assert len(taught) == 1
    assert [(o.lesson, o.answers[0].base, o.answers[0].reply) for o in outcomes] == [
        ("facts, in turn", "after 0", "after 1"),
        ("form, in turn", "after 0", "after 2"),
        ("facts, at the end", "after 0", "after 2"),
        ("form, at the end", "after 0", "after 2"),
    ]
