"""A paste is told from typing in a terminal that does not mark it."""

import pytest

from tui.terminal.paste import END, START, PasteDetector


def marked(*pieces: tuple[float, str]) -> list[str]:
    """What is made of pieces read at these times."""
    times = iter([when for when, _ in pieces])
    detector = PasteDetector(lambda: next(times))
    return [detector.mark(text) for _, text in pieces]


@pytest.mark.parametrize(
    "text",
    [
        "Capital of\rFrance is?",
        "Capital of\r\nFrance is?\r\n",
        "a\rb",
        "One line and its end\r",
        "首都\r是?",
        "a\tb\tc",
        "\r\r",
    ],
)
def test_what_nobody_types_at_once_is_a_paste(text: str) -> None:
    assert marked((0.0, text)) == [f"{START}{text}{END}"]


@pytest.mark.parametrize(
    "text", ["a", "\r", "\t", "a\r", "ok\r", "no line break at all", "a\nb", "\x1b[A\r", "abc\x13"]
)
def test_what_may_be_typed_is_left_alone(text: str) -> None:
    assert marked((0.0, text)) == [text]


def test_a_paste_in_pieces_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert marked((0.0, "Capital of"), (0.01, "\r"), (0.02, "France is?"), (0.03, "\r")) == [
        *("Capital of", f"{START}\r{END}", "France is?", f"{START}\r{END}")
    ]


def test_enter_a_moment_later_is_enter() -> None:
    typed = [(number * 0.05, letter) for number, letter in enumerate("Hello\r")]
    assert marked(*typed) == [*"Hello\r"]
    assert marked((0.0, "你好世界"), (0.1, "\r")) == ["你好世界", "\r"]


def test_brackets_of_the_terminal_are_enough() -> None:
    pieces = [f"{START}one\rtwo", "\rthree", f"\rfour{END}", "\r"]
    assert marked(*((number / 1000, piece) for number, piece in enumerate(pieces))) == pieces


def test_keys_of_a_macro_stay_keys() -> None:
    assert marked((0.0, "\x1bOS\x0cnegative\x13"), (0.001, "\r")) == [
        "\x1bOS\x0cnegative\x13",
        "\r",
    ]
