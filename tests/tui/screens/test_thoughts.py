"""A model that thinks: its thoughts on the screen, folded, and nowhere else."""

from typing import Any

from tests.fakes import Home
from tests.tui.conftest import answered, opened, painted, replies, say, toasts, until, views
from tui.widgets.messages import Thoughts

THOUGHT = "Is it [b]Lyon[/b]?\nNo, Paris."


async def test_thoughts_are_folded_and_unfold(home: Home) -> None:
    home.chat.thoughts = THOUGHT
    async with opened(home) as (app, pilot):
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        assert "▸ thought for 12 s" in painted(app)
        assert "Lyon" not in painted(app)
        await pilot.press("escape", "t")
        await until(pilot, lambda: "Is it [b]Lyon[/b]?" in painted(app))
        await pilot.press("t")
        await until(pilot, lambda: "Lyon" not in painted(app))
        await pilot.click(Thoughts)
        await until(pilot, lambda: "No, Paris." in painted(app))


async def test_thoughts_are_dimmed_while_the_model_thinks(home: Home) -> None:
    from tests.fakes import FakeChat

    home.chat = FakeChat(home.bridge.emit, adapters=home.adapters, writes_by_itself=False)
    home.chat.thoughts = THOUGHT
    async with opened(home) as (app, pilot):
        await say(pilot, "Capital of France?")
        await until(pilot, lambda: "▾ thinking…" in painted(app))
        assert "No, Paris." in painted(app)
        home.chat.write("Paris")
        await until(pilot, lambda: "▸ thoughts" in painted(app))
        home.chat.finish()
        await answered(app, pilot, 1)
        assert "▸ thought for 12 s" in painted(app)


async def test_thoughts_go_nowhere_else(home: Home, monkeypatch: Any) -> None:
    home.chat.thoughts = THOUGHT
    async with opened(home) as (app, pilot):
        await say(pilot, "Capital of France?")
        await answered(app, pilot, 1)
        await pilot.press("f2")
        await until(pilot, lambda: views(app)[0].label is True)
        copied: list[str] = []
        monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
        await say(pilot, "/copy")
        await until(pilot, lambda: copied)
        await say(pilot, "And of Spain?")
        await answered(app, pilot, 2)
        stored = home.repository.message(views(app)[0].id)
        everywhere = [
            *copied,
            *(message.content for message in home.chat.prompts[-1]),
            *(record.model_dump_json() for record in home.repository.records()),
            *(chat.title for chat in home.repository.conversations()),
            app.workspace.chat.screen._chat._library.text(stored.conversation_id),
        ]
        assert (stored.content, stored.thoughts) == ("Paris.", THOUGHT)
        assert not [text for text in everywhere if "Lyon" in text]
        assert replies(app)


async def test_raw_tags_of_an_older_home_are_told_apart(home: Home) -> None:
    conversation = home.repository.start_conversation()
    home.repository.add_message(conversation.id, "user", "2+2?")
    home.repository.add_message(conversation.id, "assistant", "<think>add</think>\n\n4")
    async with opened(home) as (app, _pilot):
        app.workspace.session.conversation.open(conversation.id)
        await app.workspace.chat.screen.renew()
        assert [(view.thoughts, view.text) for view in views(app)] == [("add", "4")]


async def test_thinking_is_chosen_where_the_template_can(home: Home) -> None:
    async with opened(home) as (app, pilot):
        await say(pilot, "/think on")
        await until(pilot, lambda: "thinks before it replies" in toasts(app))
        assert app.workspace.session.conversation.sampling().thinking
        await say(pilot, "/think")
        await until(pilot, lambda: "replies at once" in toasts(app))
        assert not app.workspace.session.conversation.sampling().thinking
        await say(pilot, "/think perhaps")
        await until(pilot, lambda: "on or off" in toasts(app))


async def test_it_is_told_where_the_template_cannot(home: Home) -> None:
    home.chat.can_think = False
    async with opened(home) as (app, pilot):
        await until(pilot, lambda: app.workspace.session._model is not None)
        await say(pilot, "/think on")
        await until(pilot, lambda: "Fake-1 has no switch for thinking" in toasts(app))
