"""Moments as the user's clock shows them, in every zone and in any year."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store.local_time import local, local_day, local_minute

ROOT = Path(__file__).parents[2]
ZONES = {
    "America/New_York": "EST5EDT,M3.2.0,M11.1.0",
    "Pacific/Kiritimati": "<+14>-14",
    "Asia/Shanghai": "CST-8",
    "Pacific/Niue": "<-11>11",
    "UTC": "UTC0",
}
"""In POSIX form, which needs no files of the system."""
FIRST = datetime.min.replace(tzinfo=UTC)
"""What Go and .NET write for “no time”."""
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", ZONES[request.param])
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("moment", [FIRST, LAST, datetime(1970, 1, 1, tzinfo=UTC)])
def test_no_year_is_too_far_away(zone: str, moment: datetime) -> None:
    assert local(moment) == moment
    assert abs(int(local_minute(moment)[:4]) - moment.year) <= 1
    assert local_minute(moment).startswith(local_day(moment))


@pytest.mark.parametrize("typed", [datetime.min, datetime.max])
def test_a_typed_time_is_local_and_may_be_compared(zone: str, typed: datetime) -> None:
    assert local(typed).tzinfo is not None
    assert (local(typed) <= datetime(2026, 1, 1, tzinfo=UTC)) == (typed.year == 1)


def test_the_clock_is_that_of_the_zone(zone: str) -> None:
    shown = {
        "America/New_York": "2026-07-01 08:00",
        "Pacific/Kiritimati": "2026-07-02 02:00",
        "Asia/Shanghai": "2026-07-01 20:00",
        "Pacific/Niue": "2026-07-01 01:00",
        "UTC": "2026-07-01 12:00",
    }
    assert local_minute(datetime(2026, 7, 1, 12, tzinfo=UTC)) == shown[zone]


def test_nothing_else_converts_to_local_time() -> None:
    files = (path for part in ("store", "data", "core", "tui") for path in (ROOT / part).rglob("*"))
    found = [
        str(path.relative_to(ROOT))
        for path in files
        if path.suffix == ".py" and re.search(r"\.astimezone\(\)", path.read_text("utf-8"))
    ]
    assert found == ["store/local_time.py"]
