"""All chats, without any widget: found, renamed, pinned, deleted and brought back, written out."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from data.markdown import Section, file_name, markdown
from store.errors import TuteeError
from store.i18n import _
from store.records import Conversation, ConversationTree, Message
from store.repository import Repository
from store.storage import private_folder, replace_file
from tui.commands.attachments import without_files
from tui.text_format import harmless, one_line
from tui.views.chat import ConversationView

_AROUND = 30
"""Characters before what was found."""


class Chats:
    """One person's chats.

    Args:
        repository: Where they are kept.
        exports: The folder they are written to.
        leave: Told of a chat that goes, before it does.
    """

    def __init__(
        self, repository: Repository, exports: Path, leave: Callable[[str], None] = lambda _: None
    ) -> None:
        self._repository = repository
        self._exports = exports
        self._leave = leave
        self._deleted: list[ConversationTree] = []

    def listed(self, query: str = "") -> list[ConversationView]:
        """Those that hold `query` in their title or text: pinned ones first, then the newest."""
        found = self._repository.search(query.strip())
        views = [
            ConversationView(
                id=hit.conversation.id,
                title=harmless(hit.conversation.title),
                updated=f"{hit.conversation.updated.astimezone():%Y-%m-%d %H:%M}",
                pinned=hit.conversation.pinned,
                excerpt=_excerpt(hit.message, query.strip()),
            )
            for hit in found
        ]
        return sorted(views, key=lambda view: not view.pinned)

    def latest(self) -> str:
        """The id of the chat that was talked in last.

        Raises:
            TuteeError: there is none yet.
        """
        for conversation in self._repository.conversations():
            return conversation.id
        raise TuteeError(_("There is no chat to go on with yet."))

    def find(self, begun: str) -> Conversation:
        """The chat whose id begins so.

        Raises:
            TuteeError: there is none, or several.
        """
        found = [c for c in self._repository.conversations() if c.id.startswith(begun.lower())]
        if len(found) != 1 or not begun:
            many = _("There is more than one chat whose id begins with “{begun}”.")
            none = _("There is no chat whose id begins with “{begun}”.")
            raise TuteeError(
                (many if found and begun else none).format(begun=begun),
                _("`tutee chats` lists them."),
            )
        return found[0]

    def rename(self, conversation_id: str, title: str) -> str:
        """Give a chat a title; an empty one brings that of its first question back."""
        return self._repository.rename_conversation(conversation_id, title).title

    def pin(self, conversation_id: str) -> bool:
        """Keep a chat at the top of the list, or no longer; whether it is there now."""
        pinned = not self._repository.conversation(conversation_id).pinned
        return self._repository.pin_conversation(conversation_id, pinned).pinned

    def delete(self, conversation_id: str) -> None:
        """Take a chat away; what it taught stays."""
        self._leave(conversation_id)
        self._deleted.append(self._repository.delete_conversation(conversation_id))

    def undo(self) -> str:
        """Bring back the chat that was deleted last; its id.

        Raises:
            TuteeError: none was deleted since Tutee was started.
        """
        if not self._deleted:
            raise TuteeError(_("No chat was deleted since Tutee was started."))
        self._repository.restore_conversation(self._deleted[-1])
        return self._deleted.pop().conversation.id

    def text(self, conversation_id: str) -> str:
        """A chat as Markdown, as it stands: the way that is shown, corrections in their places."""
        conversation = self._repository.conversation(conversation_id)
        sections = map(self._section, self._repository.messages(conversation_id))
        return markdown(conversation, list(sections))

    def save(self, conversation_id: str, place: str = "") -> Path:
        """Write a chat as Markdown, into the exports or where it is wanted.

        Raises:
            TuteeError: there is such a file already, or it cannot be written.
        """
        path = Path(place).expanduser() if place else None
        if path is None or path.is_dir():
            title = self._repository.conversation(conversation_id).title
            path = (path or self._exports) / file_name(title, datetime.now())
        path = path.absolute()
        if path.exists():
            raise TuteeError(
                _("{file} is there already.").format(file=path), _("Give another name.")
            )
        try:
            private_folder(path.parent)
            replace_file(path, self.text(conversation_id).encode())
        except OSError as error:
            raise TuteeError(
                _("Cannot write {file}: {why}.").format(file=path, why=error.strerror or error)
            ) from error
        return path

    def _section(self, message: Message) -> Section:
        correction = self._repository.feedback(message.id).correction
        adapter = message.origin.adapter if message.origin else None
        return Section(message.role, correction or message.content, adapter, correction is not None)


def _excerpt(message: Message | None, query: str) -> str:
    """What stands around `query` in a message; nothing where nothing is searched for."""
    if message is None or not query:
        return ""
    text = one_line(without_files(message.content))
    place = text.casefold().find(query.casefold())
    start = max(place - _AROUND, 0)
    return ("…" if start else "") + harmless(text[start : start + 200])
