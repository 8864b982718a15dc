"""The command palette: every command that is possible now, with its key."""

from collections.abc import Coroutine
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from store.i18n import _
from tui.commands.key_help import key_of
from tui.commands.keymap import HasKeymap
from tui.commands.registry import Command, possible
from tui.theme import MUTED


class CommandProvider(Provider):
    """Provides the commands that are possible on the open screen."""

    async def discover(self) -> Hits:
        for command in possible(self.screen):
            title = _(command.title)
            shown = self._with_key(Content(title), command)
            yield DiscoveryHit(shown, self._run(command), title, _(command.help))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in possible(self.screen):
            title = _(command.title)
            # English words match in every language, as slash commands do.
            score = max(matcher.match(title), matcher.match(command.title))
            if score > 0:
                shown = self._with_key(matcher.highlight(title), command)
                yield Hit(score, shown, self._run(command), title, _(command.help))

    def _run(self, command: Command) -> "partial[Coroutine[Any, Any, bool]]":
        return partial(self.app.run_action, command.action, self.screen)

    def _with_key(self, title: Content, command: Command) -> Content:
        assert isinstance(self.app, HasKeymap)
        key = key_of(command.action, self.screen, self.app.keymap.chosen)
        return title + Content(f"  ({key})").stylize(MUTED) if key else title
