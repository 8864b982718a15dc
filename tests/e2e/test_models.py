"""From a list of models to one of them that has learned: a Qwen of ModelScope, through the app."""

import tomllib
from pathlib import Path

import pytest
from textual.widgets import OptionList, TextArea

from core.config import Chat, Config, SFTTuning, Tuning
from store.paths import locate
from store.records import Sampling
from store.repository import Repository
from tests.e2e.test_app import until
from tests.families import FAMILIES, make
from tests.hub import Hub
from tests.tui.conftest import painted, say, toasts, views
from tui.app.tutee_app import TuteeApp
from tui.composition import compose
from tui.screens.confirm import ConfirmScreen
from tui.screens.models import ModelsScreen

SPEC = "modelscope:Qwen/Qwen1.5-0.5B-Chat"
QUESTIONS = ("review 1", "review 2", "review 3", "review 4")


async def test_a_qwen_of_modelscope_from_the_list_to_an_adapter(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are random and few; the architecture, template and client are the real ones."""
    family = next(family for family in FAMILIES if family.name == "qwen1.5")
    make(family, tmp_path / "qwen")
    hub.repositories["Qwen/Qwen1.5-0.5B-Chat"] = tmp_path / "qwen"
    monkeypatch.setenv("TUTEE_CACHE", str(tmp_path / "cache"))
    config = Config(
        chat=Chat(model=str(hub.repositories["org/Tiny-Chat"]), system_prompt="", recall=False),
        sampling=Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=16),
        tuning=Tuning(rehearsal=0, sft=SFTTuning(learning_rate=1e-2, minimum_steps=60)),
    )
    paths = locate(tmp_path / "home")
    with Repository.open(paths) as repository:
        app = TuteeApp(paths, "auto", lambda: compose(paths, config, repository))
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await until(pilot, lambda: app.open and app.workspace.chat.model == "Tiny-Chat")
            await pilot.press("ctrl+o")
            await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
            app.screen.query_one("#models", OptionList).highlighted = 1
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await pilot.press("y")
            await until(pilot, lambda: "Now using Qwen1.5-0.5B-Chat" in toasts(app))
            await pilot.press("escape")
            for number, question in enumerate(QUESTIONS, 1):
                await pilot.press("ctrl+n")
                await say(pilot, question)
                await until(pilot, lambda: len(views(app)) == 1)
                assert views(app)[0].text.strip() != "no"
                await pilot.press("f4")
                await until(pilot, lambda: app.screen.query("#version"))
                app.screen.query_one("#version", TextArea).text = "no"
                await pilot.press("ctrl+s")
                await until(pilot, lambda: repository.counts().corrected == number)  # noqa: B023
            await pilot.press("f5")
            await until(pilot, lambda: "Tune" in painted(app))
            await pilot.press("enter")
            await until(
                pilot,
                lambda: (
                    app.workspace.tuner.run.progress and not app.workspace.tuner.run.progress.active
                ),
            )
            (version,) = (paths.models / app.workspace.services.chat.adapters.folder.id).glob("v1")  # type: ignore[union-attr]
            if (
                app.workspace.tuner.versions.active == "base"
            ):  # of a random model the exam may say anything
                app.workspace.services.chat.swap("v1")
            await pilot.press("escape", "ctrl+n")
            await say(pilot, "review 5")
            await until(pilot, lambda: len(views(app)) == 1)
            assert views(app)[0].text.strip() == "no"
            await pilot.press("ctrl+q")
            await until(pilot, lambda: not app.is_running)
    assert version.parent.name.startswith("qwen1.5-0.5b-chat-")
    assert (version / "adapter_model.safetensors").is_file()
    assert tomllib.loads(paths.config_file.read_text())["chat"]["model"] == SPEC
