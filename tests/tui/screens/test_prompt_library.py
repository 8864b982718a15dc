"""`/p NAME` in the chat, and folders that go along with a message."""

from pathlib import Path

import pytest

from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tui.widgets.prompt import Prompt


async def test_a_prompt_is_put_into_the_prompt_and_typing_fills_its_variable(home: Home) -> None:
    home.paths.prompts.mkdir(parents=True)
    (home.paths.prompts / "translate.md").write_text("Translate into {{language}}:\n{{text}}")
    async with opened(home) as (app, pilot):
        prompt = app.screen.query_one(Prompt)
        prompt.insert("/p ")
        await until(pilot, lambda: "Translate into" in painted(app), "it is offered")
        await pilot.press("escape")
        prompt.text = ""
        await say(pilot, "/p translate")
        await until(pilot, lambda: prompt.selected_text == "{{language}}")
        await pilot.press(*"Malay")
        assert prompt.text == "Translate into Malay:\n{{text}}"
        assert home.chat.prompts == []
        await pilot.press("ctrl+u")
        await say(pilot, "/p nothing")
        await until(pilot, lambda: "There is no prompt named nothing." in toasts(app))


async def test_a_folder_goes_along_and_its_size_is_said_before(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "work" / "notes"
    (notes / "more").mkdir(parents=True)
    (notes / "one.md").write_text("a" * 4000)
    (notes / "more" / "two.txt").write_text("二")
    (notes / "picture.png").write_bytes(b"\x89PNG\0\0")
    (notes / ".secret").write_text("no")
    monkeypatch.chdir(tmp_path / "work")
    async with opened(home) as (app, pilot):
        prompt = app.screen.query_one(Prompt)
        prompt.insert("Read @notes/ please")
        await until(pilot, lambda: "about 1,000 tokens attached" in painted(app))
        await pilot.press("enter")
        await answered(app, pilot, 1)
        sent = home.chat.prompts[0][-1].content
        assert '<file name="notes/one.md">' in sent
        assert '<file name="notes/more/two.txt">\n二\n' in sent
        assert "picture" not in sent
        assert "secret" not in sent
        (notes / "big.txt").write_text("x" * 70_000)
        prompt.insert("Again @notes/ ")
        await pilot.press("enter")
        await until(pilot, lambda: "The folder notes is too large to send" in toasts(app))
        assert "Again" in prompt.text
