"""The statistics screen, and what the store has to say when it is opened."""

import re

from tests.fakes import Home
from tests.tui.conftest import opened, painted, toasts, until
from tests.tui.screens.test_records import bring, looking
from tests.tui.screens.test_tuning import teach
from tui.screens.records import RecordsScreen
from tui.screens.statistics import StatisticsScreen


async def test_counts_bars_and_gaps(home: Home) -> None:
    teach(home, 3, pairs=1)
    bring(home, 1)
    async with opened(home, (120, 40)) as (app, pilot):
        await looking(app, pilot, 4)
        await app.run_action("app.statistics")
        await until(pilot, lambda: isinstance(app.screen, StatisticsScreen))
        await until(pilot, lambda: "7 records from 4 lessons" in painted(app))
        text = painted(app)
        assert "Gaps" in text
        assert "2 👍 and 0 👎: KTO wants 4 of each." in text
        for name, count in (("instruction", 4), ("preference", 1), ("👍 liked", 2), ("en", 4)):
            assert re.search(rf"{name} +{count}  ━", text), name
        assert any("import:many.jsonl" in line for line in text.splitlines())
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RecordsScreen))


async def test_what_was_learned_is_counted(home: Home) -> None:
    teach(home, 4)
    async with opened(home, (120, 40)) as (app, pilot):
        await until(pilot, lambda: "Fake-1" in painted(app))
        await pilot.press("f5")
        await until(pilot, lambda: "4 to learn" in painted(app))
        await pilot.press("enter")
        home.tuning.step(3)
        await until(pilot, lambda: "● v1" in painted(app))
        await pilot.press("escape")
        await app.run_action("app.statistics")
        await until(pilot, lambda: "4 learned" in painted(app))


async def test_an_empty_home_has_statistics_too(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await app.run_action("app.statistics")
        await until(pilot, lambda: "Nothing has been taught yet" in painted(app))


async def test_what_the_store_had_to_do_is_told(home: Home) -> None:
    home.repository.notices = ("The newest copy of a file was damaged; an earlier one is used.",)
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: "an earlier one is used." in toasts(app))
