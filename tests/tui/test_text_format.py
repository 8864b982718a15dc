"""Short texts, measured in terminal cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.text_format import bar, clock, counted, harmless, one_line, shortened, sparkline


@given(st.text(), st.integers(1, 40))
def test_shortened_fits_whatever_the_script(text: str, cells: int) -> None:
    assert cell_len(shortened(text, cells)) <= cells


def test_shortened_keeps_what_fits_and_cuts_wide_characters_whole() -> None:
    assert shortened("ab\n c", 10) == "ab c"
    assert shortened("你好世界", 5) == "你好…"


def test_what_steers_a_terminal_is_harmless() -> None:
    assert harmless("\x1b[2J\x07\x9b31m\r\u202egnp") == " [2J  31m  gnp"
    kept = "a\n\tb 你好 👩‍👩‍👧 می‌خواهم"
    assert harmless(kept) == kept


def test_one_line() -> None:
    assert one_line(" a\n\n b\tc ") == "a b c"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (31.4, "0:31"), (60, "1:00"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_clock(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@given(st.floats(-1, 2), st.integers(1, 50))
def test_a_bar_is_always_as_wide_as_asked(share: float, width: int) -> None:
    assert cell_len(bar(share, width)) == width


def test_a_bar_fills_in_half_cells() -> None:
    assert bar(0, 4) == "    "
    assert bar(0.5, 4) == "━━  "
    assert bar(0.6, 4) == "━━╸ "
    assert bar(1, 4) == "━━━━"


def test_sparkline_spans_its_values_and_shows_the_last_ones() -> None:
    assert sparkline([], 5) == ""
    assert sparkline([2.0, 2.0], 5) == "▁▁"
    assert sparkline([9.0, 3.0, 2.0, 1.0], 3) == "█▅▁"


def test_counted() -> None:
    assert [counted(1, "record"), counted(0, "record")] == ["1 record", "0 records"]
    assert counted(2000, "finished pass") == "2,000 finished passes"
