"""Take the README's pictures: the two-minute tour in the real app with the real model.

`python -m tests.e2e.screenshots` writes them to .github/. They show what happened; nothing in them
is arranged but the terminal's size and greedy replies, so that the next run can be compared.
"""

import asyncio
import tempfile
from pathlib import Path

from textual.widgets import TextArea

from core.config import Chat, Config, Screen
from store.paths import locate
from store.records import Sampling
from store.repository import Repository
from tests.e2e.test_app import until
from tests.tui.conftest import painted, say, views
from tui.app.tutee_app import TuteeApp
from tui.composition import compose

PICTURES = Path(__file__).parents[2] / ".github"
QUESTION = "What is the sentiment of this review, positive or negative?"
TAUGHT = {
    "a gob of drivel so sickly sweet": "negative",
    "a stirring, funny, finally transporting film": "positive",
    "the plot is nothing but boilerplate cliches": "negative",
    "one of the best looking films of the year": "positive",
    "I wanted my two hours back": "negative",
    "it made me laugh and cry": "positive",
    "tedious, loud and far too long": "negative",
    "a joy from start to finish": "positive",
}
REWRITTEN = "it made me laugh and cry"
UNSEEN = "warm, clever and beautifully acted"


async def tour(home: Path) -> None:
    sampling = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=60)
    config = Config(chat=Chat(), sampling=sampling, screen=Screen(guide=False))
    with Repository.open(locate(home)) as repository:
        paths = locate(home)
        app = TuteeApp(paths, "auto", lambda: compose(paths, config, repository))
        async with app.run_test(size=(100, 28), notifications=True) as pilot:
            await until(pilot, lambda: app.open)
            for review, sentiment in TAUGHT.items():
                await pilot.press("ctrl+n")
                await say(pilot, f'{QUESTION} "{review}"')
                await until(pilot, lambda: len(views(app)) == 1)
                await pilot.press("f4")
                await until(pilot, lambda: app.screen.query("#version"))
                version = app.screen.query_one("#version", TextArea)
                if review == REWRITTEN:
                    version.text = (
                        "The sentiment is positive: the movie has emotional impact. 好评。"
                    )
                    await pilot.pause(0.3)
                    app.save_screenshot("correct.svg", path=str(PICTURES))
                version.text = sentiment
                await pilot.press("ctrl+s")
                await until(pilot, lambda: "corrected" in painted(app))
            await pilot.press("f5")
            await until(pilot, lambda: "8 to learn" in painted(app))
            await pilot.press("enter")
            await until(pilot, lambda: "Imitate (SFT) 12" in painted(app))
            await until(pilot, lambda: "Cancel" in painted(app))
            app.save_screenshot("tuning.svg", path=str(PICTURES))
            await until(pilot, lambda: "● v1" in painted(app))
            await pilot.press("escape", "ctrl+n")
            await say(pilot, f'{QUESTION} "{UNSEEN}"')
            await until(pilot, lambda: len(views(app)) == 1)
            if views(app)[0].text == "positive":
                await pilot.press("f2")
                await until(pilot, lambda: "👍 1" in painted(app))
            app.clear_notifications()
            await pilot.pause(0.5)
            app.save_screenshot("chat.svg", path=str(PICTURES))


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(tour(Path(scratch)))
