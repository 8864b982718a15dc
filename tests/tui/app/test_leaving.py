"""Quitting, a model that cannot be loaded, and errors that must not end the app."""

from pathlib import Path

import pytest

from store.errors import TuteeError
from tests.fakes import FakeChat, FakeTuning, Home
from tests.tui.conftest import answered, app_over, opened, painted, replies, say, toasts, until
from tests.tui.screens.test_tuning import ready, teach
from tui.app import workspace as app_module
from tui.screens.chat import ChatScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.load_failure import LoadFailureScreen
from tui.widgets.prompt import Prompt

pytestmark = pytest.mark.waits


async def test_quitting_closes_the_workers(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value is not None)
        assert app.return_value is True
        assert home.chat.closed


async def test_quitting_keeps_the_reply_under_way(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    async with opened(home) as (app, pilot):
        await say(pilot, "Hello")
        home.chat.write("Good mor")
        await until(pilot, lambda: "Good mor" in painted(app))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value is not None)
    (conversation,) = home.repository.conversations()
    reply = home.repository.messages(conversation.id)[-1]
    assert reply.content == "Good mor"
    assert reply.origin is not None
    assert reply.origin.stopped


async def test_ctrl_c_quits_the_second_time(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press("ctrl+c")
        assert "Ctrl+C again quits." in toasts(app)
        assert app.return_value is None
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app.return_value is True)


async def test_ctrl_c_copies_a_selection_instead(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await pilot.press(*"copy me", "shift+home", "ctrl+c", "ctrl+c")
        assert app.clipboard == "copy me"
        assert app.return_value is None
        assert toasts(app) == ""


async def test_quitting_while_training_asks_first(home: Home) -> None:
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: app.screen.query("PlanRow"))
        await pilot.press("enter", "escape", "ctrl+q")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("ctrl+q")
        await pilot.press("escape")
        assert isinstance(app.screen, ChatScreen)
        assert home.tuning.running
        await pilot.press("ctrl+q", "enter")
        await until(pilot, lambda: app.return_value is True)
        assert not home.tuning.running
    assert home.adapters.versions() == []


async def test_quitting_does_not_wait_for_a_thread_that_does_not_hear(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "TUNING_CLOSE_SECONDS", 0.05)
    home.tuning = FakeTuning(home.bridge.emit, obeys=False)
    teach(home, 4)
    async with opened(home) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("f5")
        await until(pilot, lambda: app.screen.query("PlanRow"))
        await pilot.press("enter", "ctrl+q", "enter")
        await until(pilot, lambda: app.return_value is not None)
        assert app.return_value is False
        home.tuning.step()


def test_the_time_to_leave_is_within_the_promise() -> None:
    assert max(app_module.CHAT_CLOSE_SECONDS, app_module.TUNING_CLOSE_SECONDS) < 5


async def test_a_model_that_cannot_be_had_is_a_screen_with_a_way_on(home: Home) -> None:
    errors = [TuteeError("There is [no] network.", "Connect, or use `tutee --model PATH`.")]
    home.chat = FakeChat(
        home.bridge.emit, adapters=home.adapters, loads_by_itself=False, load_errors=errors
    )
    async with opened(home) as (app, pilot):
        await say(pilot, "Already typed")
        home.chat.finish_loading()
        await until(pilot, lambda: isinstance(app.screen, LoadFailureScreen))
        await until(pilot, lambda: "There is [no] network." in painted(app))
        screen = painted(app)
        assert "Connect, or use `tutee --model PATH`." in screen
        assert "tutee.log" in screen.replace("\n", "").replace(" ", "")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, ChatScreen))
        await answered(app, pilot, 1)
        assert home.chat.started == 2


async def test_one_can_quit_from_the_failure_screen(home: Home) -> None:
    home.chat = FakeChat(home.bridge.emit, load_errors=[TuteeError("No.")])
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, LoadFailureScreen))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value is True)


@pytest.fixture
def broken(tmp_path: Path) -> Home:
    """A home where defects are expected; `home` would fail the test for them."""
    return Home(tmp_path / "broken")


async def test_a_defect_is_a_toast_and_its_traceback_is_in_the_log_only(
    broken: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def defect(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by design")

    async with opened(broken) as (app, pilot):
        await say(pilot, "Hello")
        await answered(app, pilot, 1)
        monkeypatch.setattr(broken.repository, "rate", defect)
        await pilot.press("f2")
        await until(pilot, lambda: "a bug in Tutee" in toasts(app))
        monkeypatch.setattr(broken.repository, "add_message", defect)
        await say(pilot, "Again")
        await until(pilot, lambda: toasts(app).count("a bug in Tutee") == 2)
        assert "by design" not in painted(app) + toasts(app)
        monkeypatch.undo()
        await pilot.press("f2")
        assert broken.repository.counts().liked == 1
    log = broken.paths.log_file
    assert log.read_text(encoding="utf-8").count("ZeroDivisionError: by design") == 2
    assert log.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError" not in "".join(capfd.readouterr())
    broken.close()


async def test_a_defect_outside_any_guard_ends_the_app_without_a_traceback(
    broken: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    app = app_over(broken)

    async def meet_a_defect() -> None:
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.open)
            app.call_later(lambda: 1 // 0)
            await until(pilot, lambda: app._exception is not None)

    with pytest.raises(ZeroDivisionError):
        await meet_a_defect()
    shown = capsys.readouterr().err
    assert "Tutee had to close because of a bug." in shown
    assert "Traceback" not in shown
    assert "ZeroDivisionError" in broken.paths.log_file.read_text(encoding="utf-8")
    broken.chat.close(5)
    broken.close()


async def test_a_reply_that_cannot_be_stored_leaves_no_reply_half_shown(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(conversation_id: str, role: str, *_: object, **__: object) -> object:
        if role == "assistant":
            raise TuteeError("The disk is full.", "Make room.")
        return add(conversation_id, role, *_, **__)  # type: ignore[arg-type]

    add = home.repository.add_message
    async with opened(home) as (app, pilot):
        monkeypatch.setattr(home.repository, "add_message", full)
        await say(pilot, "Hello")
        await until(pilot, lambda: "The disk is full." in toasts(app))
        assert replies(app) == []
        monkeypatch.undo()
        await say(pilot, "Again")
        await answered(app, pilot, 1)
        assert app.focused is app.screen.query_one(Prompt)
