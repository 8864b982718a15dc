"""Ctrl+O: the list, changing to a model that is there, fetching one, and what is refused."""

import asyncio
import tomllib
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from core.hub import download
from core.hub.model_id import hub_model
from store.errors import TuteeError
from store.i18n import current_language, set_language
from tests.fakes import Home
from tests.hub import Hub
from tests.tui.conftest import answered, opened, painted, say, toasts, until
from tui.app.tutee_app import TuteeApp
from tui.screens.chat import ChatScreen
from tui.screens.models import ModelsScreen

SPEC = "hf:org/Tiny-Chat"


@pytest.fixture(autouse=True)
def cache(home: Home, tmp_path: Path) -> Path:
    """A cache of the test's own."""
    home.paths = home.paths.__class__(**{**home.paths.__dict__, "cache": tmp_path / "cache"})
    return tmp_path / "cache"


async def choosing(app: TuteeApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: app.workspace.chat.model, "a model is loaded")
    await pilot.press("ctrl+o")
    await until(pilot, lambda: isinstance(app.screen, ModelsScreen))


async def write(app: TuteeApp, pilot: Pilot[Any], spec: str) -> None:
    field = app.screen.query_one("#other Input", Input)
    field.focus()
    field.value = spec
    await pilot.press("enter")


def chosen(home: Home) -> str:
    """What the settings say."""
    if not home.paths.config_file.exists():
        return ""
    return str(tomllib.loads(home.paths.config_file.read_text())["chat"]["model"])


async def test_the_list_says_what_each_is_and_takes(home: Home) -> None:
    async with opened(home, (100, 30)) as (app, pilot):
        await choosing(app, pilot)
        screen = painted(app)
        assert "builtin is in use" in screen
        assert "Loading" not in screen
        assert "Qwen1.5-0.5B-Chat" in screen
        assert "Chinese, English" in screen
        await pilot.press("down")
        await until(pilot, lambda: "from ModelScope" in painted(app))
        assert "Tongyi Qianwen Research" in painted(app)
        assert "6.2 GB of memory" in painted(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))


async def test_a_model_that_is_fetched_answers_and_is_kept_in_the_settings(
    home: Home, hub: Hub
) -> None:
    home.paths.config_file.parent.mkdir(parents=True, exist_ok=True)
    home.paths.config_file.write_text("# mine\n[chat]\nsystem_prompt = 'Be brief.'\n")
    async with opened(home) as (app, pilot):
        await choosing(app, pilot)
        await write(app, pilot, SPEC)
        await until(pilot, lambda: "is on this machine." in toasts(app), "it is fetched")
        await until(pilot, lambda: chosen(home) == SPEC, "it is kept in the settings")
        await until(pilot, lambda: f"{SPEC} is in use" in painted(app), "the open list says so")
        assert f"● {SPEC}" in painted(app)
        assert home.chat.specs == ["builtin", SPEC]
        text = home.paths.config_file.read_text()
        assert "# mine" in text
        assert "Be brief." in text
        await pilot.press("escape")
        await say(pilot, "Hello?")
        await answered(app, pilot, 1)
        await choosing(app, pilot)
        assert f"{SPEC} is in use" in painted(app)


async def test_chat_goes_on_while_one_is_fetched_and_the_fetch_can_be_stopped_and_gone_on_with(
    home: Home, hub: Hub, cache: Path
) -> None:
    hub.held["model.safetensors"] = Event()
    async with opened(home) as (app, pilot):
        await choosing(app, pilot)
        await write(app, pilot, SPEC)
        assert f"Fetching {SPEC}" in painted(app), "what was pressed is seen at once"
        await until(pilot, lambda: "Fetching org/Tiny-Chat" in painted(app), "progress is shown")
        await pilot.press("escape")
        await until(pilot, lambda: "Fetching org/Tiny-Chat" in painted(app), "in the chat too")
        await say(pilot, "Hello?")
        await answered(app, pilot, 1)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "was stopped" in toasts(app), "it has stopped")
        assert "downloaded so far" in painted(app) or "◐" in painted(app)
        assert chosen(home) == ""
        hub.held.pop("model.safetensors").set()
        await write(app, pilot, SPEC)
        await until(pilot, lambda: chosen(home) == SPEC, "the second one came")


async def test_one_that_cannot_be_loaded_leaves_everything_as_it_was(
    home: Home, tiny_folder: Any
) -> None:
    async with opened(home) as (app, pilot):
        await choosing(app, pilot)
        home.chat.fail_loading(TuteeError("The weights are damaged.", "Fetch them again."))
        await write(app, pilot, str(tiny_folder.path))
        await until(pilot, lambda: "The weights are damaged." in toasts(app))
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert chosen(home) == ""
        await say(pilot, "Hello?")
        await answered(app, pilot, 1)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("hf:nothing", "names no model on Hugging Face"),
        ("org/Tiny-Chat", "modelscope:org/Tiny-Chat"),
        ("/no/such/folder", "There is no model folder at /no/such/folder"),
        ("modelscope:org/Nothing", "There is no model org/Nothing on ModelScope"),
    ],
)
async def test_refusals(home: Home, hub: Hub, spec: str, said: str) -> None:
    async with opened(home) as (app, pilot):
        await choosing(app, pilot)
        await write(app, pilot, spec)
        await until(pilot, lambda: said in toasts(app), said)
        assert isinstance(app.screen, ModelsScreen)


async def test_no_model_is_changed_under_a_training_run(home: Home, tiny_folder: Any) -> None:
    async with opened(home) as (app, pilot):
        await choosing(app, pilot)
        home.tuning.running = True
        await write(app, pilot, str(tiny_folder.path))
        await until(pilot, lambda: "cannot change during a training run" in toasts(app))
        home.tuning.running = False
        assert home.chat.specs == ["builtin"]


async def test_a_model_is_removed_after_asking(home: Home, hub: Hub, cache: Path) -> None:
    model = hub_model(SPEC)
    assert model is not None
    path = await asyncio.to_thread(download.fetch, model, cache, lambda event: None, lambda: False)
    async with opened(home) as (app, pilot):
        await choosing(app, pilot)
        await pilot.press("end", "delete")
        await until(pilot, lambda: "Remove hf:org/Tiny-Chat" in painted(app))
        await pilot.press("enter")
        await until(pilot, lambda: " freed." in toasts(app))
        assert not path.exists()
        await pilot.press("home", "delete")
        await until(pilot, lambda: "builtin is in use." in toasts(app))
        await pilot.press("down", "delete")
        await until(pilot, lambda: "Qwen1.5-0.5B-Chat is not on this machine." in toasts(app))
        assert isinstance(app.screen, ModelsScreen), "nothing is asked that cannot be done"


async def test_a_download_of_the_list_is_asked_for_with_its_size(home: Home) -> None:
    async with opened(home, (100, 30)) as (app, pilot):
        await choosing(app, pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "Fetch Qwen1.5-0.5B-Chat, 1.2 GB?" in painted(app))
        assert "6.2 GB of memory to chat and train" in painted(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
        assert app.workspace.models.choosing.fetching == ""


async def test_a_model_that_does_not_fit_is_dim_and_says_so(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.models.too_large", lambda offer: offer.parameters > 1e9)
    async with opened(home, (100, 30)) as (app, pilot):
        await choosing(app, pilot)
        line = next(line for line in painted(app).splitlines() if "Qwen2.5-7B" in line)
        assert "too big here" in line
        await pilot.press("end", "enter")
        await until(pilot, lambda: "It is too big to train here." in painted(app))
        await pilot.press("escape")


async def test_typing_anywhere_reaches_the_field(home: Home) -> None:
    async with opened(home, (100, 30)) as (app, pilot):
        await choosing(app, pilot)
        await pilot.press(*"hf:d/x")
        field = app.screen.query_one("#other Input", Input)
        assert field.value == "hf:d/x"
        assert isinstance(app.screen, ModelsScreen)


async def test_a_language_is_offered_a_model_that_speaks_it(home: Home) -> None:
    language = current_language()
    set_language("zh")
    try:
        async with opened(home, (100, 30)) as (app, pilot):
            await choosing(app, pilot)
            first, second = (
                next(n for n, line in enumerate(painted(app).splitlines()) if name in line)
                for name in ("Qwen2.5-0.5B", "SmolLM2-135M")
            )
            assert first < second
            assert "推荐" in painted(app).splitlines()[first]
            assert "仅英语" in painted(app).splitlines()[second].replace(" ", "")
    finally:
        set_language(language)
