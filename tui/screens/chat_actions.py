"""Actions on the open conversation as a whole, and on the list of conversations."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from textual.screen import Screen

from store.errors import TuteeError
from store.i18n import _
from store.records import Conversation
from tui.commands.completion import Completion
from tui.commands.registry import Command
from tui.controllers.chat_session import ChatSession
from tui.controllers.conversations import ConversationLibrary
from tui.controllers.open_conversation import ChatSettings
from tui.controllers.presets import Presets, with_setting
from tui.controllers.prompt_library import filled
from tui.error_toasts import errors_shown
from tui.screens.chat_settings import ChatSettingsScreen
from tui.screens.command_arguments import arguments, prompt_names
from tui.screens.conversations import ConversationsScreen, title_dialog
from tui.services import Services
from tui.views.chat import ConversationRow

_BESIDE = 100
"""Conversations in the list beside the chat; the dialog has all."""


class ChatActions:
    """Opens, changes and deletes conversations.

    `show` draws the open one and focuses the prompt; `renamed` draws its title.
    """

    def __init__(
        self,
        screen: Screen[None],
        session: ChatSession,
        services: Services,
        show: Callable[[], Awaitable[None]],
        renamed: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._session = session
        self._library = ConversationLibrary(
            services.repository, services.paths.exports, session.forget
        )
        self._presets = Presets(lambda: services.config)
        self._cache = services.paths.cache
        self._prompts = services.paths.prompts
        self._show = show
        self._renamed = renamed

    def obstacle(self, action: str) -> TuteeError | None:
        """Why `action` is not possible before the conversation has started; None if it is."""
        needs_one = action in ("title", "pin", "save", "delete_chat")
        if not needs_one or self._session.conversation.has_question():
            return None
        return TuteeError(_("This chat has no messages yet."), _("Ask something first."))

    def arguments(self, command: Command) -> list[Completion]:
        if command.action == "library":
            return prompt_names(self._prompts)
        return arguments(command, self._session.conversation, self._presets, self._cache)

    def _notify(self, text: str, title: str = "", seconds: float | None = 3) -> None:
        self._screen.notify(text, title=title, markup=False, timeout=seconds)

    # -- choosing a conversation -----------------------------------------------------------------

    async def new(self) -> None:
        self._session.conversation.new()
        await self._show()

    def browse(self, words: str = "") -> None:
        """List the conversations, or those that contain `words`."""
        self._screen.app.push_screen(ConversationsScreen(self._library, words), self.open)

    def rows(self) -> list[ConversationRow]:
        """The conversations that the list beside the chat shows."""
        return self._library.newest(_BESIDE)

    async def open(self, conversation_id: str | None) -> None:
        """Open the chosen conversation; the open one may have been renamed or deleted instead."""
        with errors_shown(self._screen.app):
            if conversation_id is not None:
                self._session.conversation.open(conversation_id)
            await self._show()

    # -- the open conversation -------------------------------------------------------------------

    def _stored(self) -> Conversation:
        stored = self._session.conversation.stored
        assert stored is not None  # otherwise the action is not possible
        return stored

    def rename(self, title: str = "") -> None:
        """Set the title, or open a dialog for it."""
        stored = self._stored()

        def rename(title: str | None) -> None:
            if title is not None:
                with errors_shown(self._screen.app):
                    set_ = self._library.rename(stored.id, title)
                    self._renamed()
                    self._notify(set_, _("Chat renamed"))

        if title:
            rename(title)
        else:
            self._screen.app.push_screen(title_dialog(stored.title), rename)

    def pin(self) -> None:
        """Pin the conversation to the top of the list, or unpin it."""
        pinned = self._library.pin(self._stored().id)
        self._notify(_("Chat pinned.") if pinned else _("Chat unpinned."))

    def save(self, place: str = "") -> None:
        path = str(self._library.save(self._stored().id, place))
        self._screen.app.copy_to_clipboard(path)
        self._notify(path, _("Saved; path copied."), None)

    async def delete(self) -> None:
        self._library.delete(self._stored().id)
        await self._show()
        restore = _(
            "{key:chats.undo} in the list of chats ({key:chat.open}) restores it. Your feedback "
            "in it is kept."
        )
        self._notify(restore, _("Deleted."), None)

    # -- its settings ----------------------------------------------------------------------------

    def set_system_prompt(self, text: str = "") -> None:
        """Set the system prompt, or open a dialog for it and the sampling."""
        conversation = self._session.conversation
        if text:
            self._set(replace(conversation.own(), system_prompt=text))
            return
        screen = ChatSettingsScreen(conversation.own(), conversation.default(), self._presets.all())
        self._screen.app.push_screen(screen, self._set_chosen)

    def prompt_named(self, written: str) -> str:
        """One of the user's prompts; see `filled` for the argument and errors."""
        return filled(self._prompts, written)

    def use_preset(self, name: str = "") -> None:
        """Use a preset, or open a dialog to choose one."""
        if not name:
            self.set_system_prompt()
            return
        system_prompt, sampling = self._presets.named(name)
        own = self._session.conversation.own()
        self._set(replace(own, system_prompt=system_prompt or own.system_prompt, sampling=sampling))

    def set_sampling(self, text: str = "") -> None:
        """Change one sampling setting, given as name and value, or open a dialog for all."""
        if not text:
            self.set_system_prompt()
            return
        conversation = self._session.conversation
        sampling = with_setting(conversation.sampling(), text)
        self._set(replace(conversation.own(), sampling=sampling))

    def set_recall(self, switch: str = "") -> None:
        """Recall corrections in this chat (`on`) or not (`off`); switch it without either."""
        conversation = self._session.conversation
        own = conversation.own()
        now = conversation.default().recall if own.recall is None else own.recall
        wanted = {"": not now, "on": True, "off": False}.get(switch.casefold())
        if wanted is None:
            raise TuteeError(_("/recall takes on or off."))
        self._session.override(replace(own, recall=wanted))
        self._notify(
            _("Replies follow corrections that are not learned yet, in this chat.")
            if wanted
            else _("Corrections are not recalled in this chat; {key:app.settings} has it for all.")
        )

    def set_thinking(self, answer: str = "") -> None:
        """Turn thinking on or off in this chat; without an answer, the other way than now."""
        conversation = self._session.conversation
        sampling = conversation.sampling()
        if answer.lower() not in ("", "on", "off"):
            raise TuteeError(_("/think takes on or off."))
        thinking = answer.lower() == "on" if answer else not sampling.thinking
        self._session.check_can_think()
        sampling = sampling.model_copy(update={"thinking": thinking})
        self._session.override(replace(conversation.own(), sampling=sampling))
        if thinking:
            said = _("The model thinks before it replies in this chat.")
        else:
            said = _("The model replies at once in this chat.")
        self._notify(said)

    def _set_chosen(self, settings: ChatSettings | None) -> None:
        if settings is not None:
            with errors_shown(self._screen.app):
                self._set(settings)

    def _set(self, settings: ChatSettings) -> None:
        self._session.override(settings)
        self._notify(_("Applies from the next reply on, in this chat only."))
