"""`tutee chats`, `-c` and `--resume` as a script meets them."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.errors import TuteeError
from store.paths import Paths, locate
from store.records import (
    ChatMessage,
    Conversation,
    ImportedConversation,
    Instruction,
    Message,
)
from store.repository import Repository
from tui.cli.root import cli

Run = Callable[..., Result]


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    """Two chats, the newest first."""
    with Repository.open(locate(tmp_path)) as repository:
        for question, answer in (("Tea or coffee?", "\x1b[31mTea"), ("关于茶", "龙井")):
            talk = repository.start_conversation("Be brief.")
            repository.add_message(talk.id, "user", question)
            reply = repository.add_message(talk.id, "assistant", answer)
        repository.correct(reply.id, "碧螺春")
        return [talk.id for talk in repository.conversations()]


@pytest.fixture
def run(tmp_path: Path, ids: list[str]) -> Run:
    return lambda *args: CliRunner().invoke(cli, ["--home", str(tmp_path), *args])


def test_the_list_has_ids_and_titles_newest_first(run: Run, ids: list[str]) -> None:
    lines = run("chats").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ids
    assert lines[0].endswith("关于茶")
    assert [view["id"] for view in json.loads(run("chats", "--json").stdout)] == ids


def test_search_shows_what_was_found(run: Run, ids: list[str]) -> None:
    assert run("chats", "search", "龙井").stdout.split()[0] == ids[0]
    found = run("chats", "search", "TEA")
    assert found.stdout.count("\n") == 1
    assert "\x1b" not in found.stdout
    assert "No chat contains" in run("chats", "search", "nowhere").stderr


def test_a_chat_is_printed_as_it_stands(run: Run, ids: list[str], tmp_path: Path) -> None:
    shown = run("chats", "show", ids[0][:5]).stdout
    assert shown.startswith("# 关于茶\n")
    assert "## System\n\nBe brief.\n" in shown
    assert "碧螺春" in shown
    assert "龙井" not in shown
    path = run("chats", "show", ids[0], "-o", str(tmp_path / "chat.md")).stdout.strip()
    assert Path(path).read_text(encoding="utf-8") == shown
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_a_chat_is_renamed_pinned_and_deleted(run: Run, ids: list[str]) -> None:
    assert run("chats", "rename", ids[1], "Drinks").stdout == "Drinks\n"
    assert run("chats", "pin", ids[1]).stdout == "pinned\n"
    assert run("chats").stdout.splitlines()[0].endswith("* Drinks")
    assert run("chats", "delete", ids[0]).stdout == "Deleted 1 chat.\n"
    assert run("chats").stdout.count("\n") == 1
    assert run("records", "--json").stdout.count("碧螺春") == 2, "what it taught stays"


@pytest.mark.parametrize("begun", ["", "zz"])
def test_a_chat_that_is_not_there_is_told(run: Run, begun: str) -> None:
    error = run("chats", "show", begun).exception
    assert isinstance(error, TuteeError)
    assert "No chat has an id" in error.title


# -- going on -----------------------------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The chats that the app was started with; it is not run here."""
    from tui.app.tutee_app import TuteeApp

    found: list[str | None] = []

    def run(app: TuteeApp) -> bool:
        try:
            found.append(app.startup.enter().open_chat)
        except TuteeError as error:
            app.refused = error
        return True

    monkeypatch.setattr(TuteeApp, "run", run)
    monkeypatch.setattr("tui.cli.root.need_terminal", lambda: None)
    return found


def test_the_app_goes_on_with_a_chat(run: Run, ids: list[str], opened: list[str | None]) -> None:
    for args in ((), ("-c",), ("--continue",), ("--resume", ids[1][:6])):
        assert run(*args).exit_code == 0
    assert opened == [None, ids[0], ids[0], ids[1]]


def test_a_chat_to_go_on_with_must_be_there(
    run: Run, opened: list[str | None], tmp_path: Path
) -> None:
    empty = CliRunner().invoke(cli, ["--home", str(tmp_path / "empty"), "-c"])
    for ran in (run("--resume", "zz"), empty):
        assert isinstance(ran.exception, TuteeError)
        assert "chat" in ran.exception.title
    assert run("-c", "--resume", "a").exit_code == 2
    assert opened == []
    paths: Paths = locate(tmp_path)
    Repository.open(paths).close()  # nothing holds the lock


@pytest.mark.parametrize("zone", ["EST5EDT,M3.2.0,M11.1.0", "<+14>-14", "CST-8"])
@pytest.mark.parametrize("year", [1, 9999])
def test_a_chat_of_any_date_is_listed_shown_and_deleted(
    tmp_path: Path, zone: str, year: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(year, 1, 1) if year == 1 else datetime(year, 12, 31, 23, 59, 59)
    talk = Conversation(title="Old", created=moment, updated=moment)
    message = Message(conversation_id=talk.id, role="user", content="Hi", created=moment)
    record = Instruction(
        prompt=(ChatMessage(role="user", content="Hi"),), completion="Ho", created=moment
    )
    with Repository.open(locate(tmp_path)) as repository:
        repository.add_imported([record], [ImportedConversation(talk, (message,))])
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for command in (
            ("chats",),
            ("chats", "show", talk.id),
            ("records",),
            ("show", record.id),
            ("stats",),
            ("export", "-o", str(tmp_path / "exported"), "--since", "0001-01-01"),
            ("chats", "delete", talk.id),
            ("delete", "--yes", record.id),
        ):
            result = CliRunner().invoke(cli, ["--home", str(tmp_path), *command])
            assert result.exit_code == 0, (command, result.exception)
        assert CliRunner().invoke(cli, ["--home", str(tmp_path), "records"]).stdout == ""
    finally:
        monkeypatch.undo()
        time.tzset()
