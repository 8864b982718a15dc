"""Take the README's pictures: the two-minute tour in the real app with the real model.

`python -m tests.e2e.screenshots` writes them to .github/, still ones and one that moves. They show
what happened; nothing in them is arranged but the terminal's size, greedy replies, and how long
each frame of the moving one stays.
"""

import asyncio
import re
import tempfile
from dataclasses import dataclass, field
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


@dataclass
class Recording:
    """Frames of the app, and the seconds that each is shown."""

    app: TuteeApp
    frames: list[tuple[str, float]] = field(default_factory=list)

    def take(self, seconds: float) -> None:
        self.frames.append((self.app.export_screenshot(), seconds))

    def animated(self) -> str:
        """Return one SVG that shows the frames in turn, without end."""
        whole = sum(seconds for _, seconds in self.frames)
        opening = re.search(r"<svg[^>]*>", self.frames[0][0])
        assert opening is not None
        styles, groups, start = [], [], 0.0
        for number, (picture, seconds) in enumerate(self.frames):
            begin, end = (100 * at / whole for at in (start, start + seconds))
            hidden = "" if number == 0 else "0%{visibility:hidden}"
            styles.append(
                f"@keyframes f{number}{{{hidden}{begin:.3f}%{{visibility:visible}}"
                f"{end:.3f}%{{visibility:hidden}}}}"
                f".f{number}{{visibility:hidden;animation:f{number} {whole:g}s step-end infinite}}"
            )
            inside = picture[picture.index(">") + 1 : picture.rindex("</svg>")]
            groups.append(f'<g class="f{number}">{inside}</g>')
            start += seconds
        return f"{opening[0]}<style>{''.join(styles)}</style>{''.join(groups)}</svg>\n"


async def tour(home: Path) -> None:
    sampling = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=60)
    # Recall would answer the later reviews in one word already, without any training.
    config = Config(chat=Chat(recall=False), sampling=sampling, screen=Screen(guide=False))
    with Repository.open(locate(home)) as repository:
        paths = locate(home)
        app = TuteeApp(paths, "auto", lambda: compose(paths, config, repository))
        async with app.run_test(size=(100, 28), notifications=True) as pilot:
            recording = Recording(app)
            await until(pilot, lambda: app.open)
            for number, (review, sentiment) in enumerate(TAUGHT.items()):
                await pilot.press("ctrl+n")
                await say(pilot, f'{QUESTION} "{review}"')
                await until(pilot, lambda: len(views(app)) == 1)
                if number == 0:
                    recording.take(3.0)
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
                if number == 0:
                    await pilot.pause(0.3)
                    recording.take(2.5)
                await pilot.press("ctrl+s")
                await until(pilot, lambda: "corrected" in painted(app))
                recording.take(1.5 if number == 0 else 0.4)
            await pilot.press("f5")
            await until(pilot, lambda: "8 to learn" in painted(app))
            recording.take(2.0)
            await pilot.press("enter")
            for step in (1, 6, 12, 18, 24, 30):
                await until(pilot, lambda step=step: _step(app) >= step or _done(app))  # type: ignore[misc]
                recording.take(0.7)
                if step == 12:
                    app.save_screenshot("tuning.svg", path=str(PICTURES))
            await pilot.press("escape")
            await until(pilot, lambda: "v1 is ready" in painted(app))
            recording.take(2.5)
            await pilot.press("enter")
            await until(pilot, lambda: "What was taught" in painted(app))
            recording.take(3.0)
            await pilot.press("escape", "ctrl+n")
            await say(pilot, f'{QUESTION} "{UNSEEN}"')
            await until(pilot, lambda: len(views(app)) == 1)
            app.clear_notifications()
            await pilot.pause(0.5)
            recording.take(4.0)
            app.save_screenshot("chat.svg", path=str(PICTURES))
    (PICTURES / "tour.svg").write_text(recording.animated(), encoding="utf-8")


def _step(app: TuteeApp) -> int:
    found = re.search(r"\(SFT\)\D*(\d+)/\d+", painted(app))
    return int(found[1]) if found else 0


def _done(app: TuteeApp) -> bool:
    return "v1" in painted(app)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(tour(Path(scratch)))
