"""What is done with the chat that is open as a whole, and with the others."""

from dataclasses import replace
from functools import partial

from store.i18n import _
from tui.commands.completion import Completion
from tui.commands.registry import Command
from tui.controllers.conversations import Chats
from tui.controllers.drafts import Drafting
from tui.controllers.feedback import Teaching
from tui.controllers.open_chat import ChatSettings
from tui.controllers.presets import Presets, with_one
from tui.controllers.session import Session
from tui.error_toasts import errors_shown
from tui.screens.chat_settings import ChatSettingsScreen
from tui.screens.command_arguments import arguments
from tui.screens.conversations import ConversationsScreen
from tui.screens.reply_actions import ReplyActions
from tui.screens.text_dialog import TextDialog
from tui.services import Services

_OF_A_CHAT = frozenset({"title", "pin", "save", "delete_chat"})


class ChatActions(ReplyActions):
    """The part of the chat screen that opens and changes chats.

    Args:
        session: The chat that is open.
        services: The parts behind it.
    """

    def __init__(self, session: Session, services: Services) -> None:
        super().__init__(session, Teaching(services.repository, partial(Drafting, services)))
        self._chats = Chats(services.repository, services.paths.exports, session.forget)
        self._presets = Presets(lambda: services.config)
        self._cache = services.paths.cache

    async def renew(self) -> None:
        """Draw the chat anew."""
        raise NotImplementedError

    def focus_prompt(self) -> None:
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in _OF_A_CHAT:
            return (self.is_mounted and self._session.has_question()) or None
        return super().check_action(action, parameters)

    def arguments(self, command: Command) -> list[Completion]:
        """What could stand behind a slash command."""
        return arguments(command, self._session, self._presets, self._cache)

    # -- which one -------------------------------------------------------------------------------

    async def action_new_chat(self) -> None:
        self._session.new()
        await self.renew()
        self.focus_prompt()

    def action_chats(self) -> None:
        self.app.push_screen(ConversationsScreen(self._chats), self._open_chat)

    async def _open_chat(self, conversation_id: str | None) -> None:
        """Go to a chat; without one to where we were, which may have been renamed or deleted."""
        with errors_shown(self.app):
            if conversation_id is not None:
                self._session.open(conversation_id)
            await self.renew()
            self.focus_prompt()

    # -- the open one ----------------------------------------------------------------------------

    def _open_id(self) -> str:
        conversation = self._session.conversation
        assert conversation is not None  # or the action would not be possible
        return conversation.id

    def action_title(self, title: str = "") -> None:
        """Call it something else."""
        conversation_id = self._open_id()

        def rename(title: str | None) -> None:
            if title is not None:
                with errors_shown(self.app):
                    kept = self._chats.rename(conversation_id, title)
                    self.changed()
                    self.notify(kept, title=_("The chat is called"), markup=False, timeout=3)

        if title:
            rename(title)
            return
        assert self._session.conversation is not None
        keys = _("Enter keeps it · empty: that of its first question · Esc leaves")
        now = self._session.conversation.title
        self.app.push_screen(TextDialog(_("Title"), now, "", keys), rename)

    def action_pin(self) -> None:
        """Keep it at the top of the list, or no longer."""
        pinned = self._chats.pin(self._open_id())
        top = _("The chat stands at the top of the list now.")
        said = top if pinned else _("The chat stands in its place in the list now.")
        self.notify(said, markup=False, timeout=3)

    def action_save(self, place: str = "") -> None:
        """Write it as Markdown."""
        path = self._chats.save(self._open_id(), place)
        self.app.copy_to_clipboard(str(path))
        self.notify(str(path), title=_("Saved; the path is copied."), markup=False)

    async def action_delete_chat(self) -> None:
        """Take it away; what it taught stays."""
        self._chats.delete(self._open_id())
        await self.renew()
        self.focus_prompt()
        self.notify(
            _("In the list of chats (Ctrl+R) Ctrl+Z brings it back. What it taught stays."),
            title=_("Deleted."),
            markup=False,
        )

    # -- how it goes on --------------------------------------------------------------------------

    def action_system(self, text: str = "") -> None:
        """Say what its replies are written under."""
        if text:
            self._set(replace(self._session.own(), system_prompt=text))
            return
        now = self._session.own()
        screen = ChatSettingsScreen(now, self._session.default(), self._presets.all())
        self.app.push_screen(screen, self._set_if)

    def action_preset(self, name: str = "") -> None:
        """Take a preset by its name, or choose one."""
        if not name:
            self.action_system()
            return
        system_prompt, sampling = self._presets.named(name)
        own = self._session.own().system_prompt
        self._set(ChatSettings(system_prompt or own, sampling))

    def action_set(self, text: str = "") -> None:
        """Set one thing about how replies are drawn."""
        if not text:
            self.action_system()
            return
        sampling = with_one(self._session.sampling(), text)
        self._set(replace(self._session.own(), sampling=sampling))

    def _set_if(self, settings: ChatSettings | None) -> None:
        if settings is not None:
            with errors_shown(self.app):
                self._set(settings)

    def _set(self, settings: ChatSettings) -> None:
        self._session.set_chat(settings)
        self.notify(_("From the next reply on, in this chat."), markup=False, timeout=3)
