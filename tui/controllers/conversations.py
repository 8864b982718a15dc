"""All conversations, without widgets: search, rename, pin, delete, restore, save as Markdown."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from data.markdown import Section, file_name, markdown
from store.errors import TuteeError
from store.i18n import _
from store.local_time import local_minute
from store.records import Conversation, ConversationTree, Message, now
from store.repository import Repository
from store.storage import private_folder, replace_file
from tui.commands.attachments import without_files
from tui.text_format import age, harmless, one_line
from tui.views.chat import ConversationRow
from tui.views.record_list import shared_prefixes

_DESCRIBED = 200
"""Rows that are described: more than a screen holds, few enough to list at each key."""
_LAST = 200
"""Characters of a last message; more fit on no line."""
_AROUND = 30
"""Characters of an excerpt before the hit."""


class ConversationLibrary:
    """The stored conversations; `leave` is called with the id of one before it is deleted."""

    def __init__(
        self, repository: Repository, exports: Path, leave: Callable[[str], None] = lambda _: None
    ) -> None:
        self._repository = repository
        self._exports = exports
        self._leave = leave
        self._deleted: list[ConversationTree] = []

    def listed(self, query: str = "") -> list[ConversationRow]:
        """Conversations whose title or text contains `query`, pinned ones first, then newest."""
        rows = [
            _row(hit.conversation, _excerpt(hit.message, query.strip()))
            for hit in self._repository.search(query.strip())
        ]
        return sorted(rows, key=lambda row: not row.pinned)

    def described(self, query: str = "") -> list[ConversationRow]:
        """As `listed`, the first rows with their last message, their age and their feedback."""
        rows = self.listed(query)
        shared = shared_prefixes([row.title for row in rows])
        rows = [replace(row, shared=cells) for row, cells in zip(rows, shared, strict=True)]
        return [*map(self._described, rows[:_DESCRIBED]), *rows[_DESCRIBED:]]

    def _described(self, row: ConversationRow) -> ConversationRow:
        messages = self._repository.messages(row.id)
        feedback = [self._repository.feedback(message.id) for message in messages]
        last = without_files(messages[-1].content) if len(messages) > 1 else ""
        return replace(
            row,
            age=age(self._repository.conversation(row.id).updated, now()),
            last=harmless(one_line(last[:_LAST])),
            corrected=sum(each.correction is not None for each in feedback),
            liked=sum(each.label is True for each in feedback),
        )

    def newest(self, count: int) -> list[ConversationRow]:
        """The first `count` conversations of the whole list."""
        found = sorted(self._repository.conversations(), key=lambda one: not one.pinned)
        return [_row(conversation) for conversation in found[:count]]

    def latest(self) -> str:
        """The id of the most recently used conversation.

        Raises:
            TuteeError: there is none yet.
        """
        for conversation in self._repository.conversations():
            return conversation.id
        raise TuteeError(_("There is no chat to resume yet."))

    def find(self, begun: str) -> Conversation:
        """The conversation whose id begins with `begun`.

        Raises:
            TuteeError: no id does, or several do.
        """
        found = [c for c in self._repository.conversations() if c.id.startswith(begun.lower())]
        if len(found) != 1 or not begun:
            many = _("Several chats have an id that begins with “{begun}”.")
            none = _("No chat has an id that begins with “{begun}”.")
            title = (many if found and begun else none).format(begun=begun)
            raise TuteeError(title, _("`tutee chats` lists them."))
        return found[0]

    def rename(self, conversation_id: str, title: str) -> str:
        """Rename a conversation and return its title; an empty one restores the default."""
        return self._repository.rename_conversation(conversation_id, title).title

    def pin(self, conversation_id: str) -> bool:
        """Pin or unpin a conversation, and return whether it is pinned now."""
        pinned = not self._repository.conversation(conversation_id).pinned
        return self._repository.pin_conversation(conversation_id, pinned).pinned

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation; its feedback stays."""
        self._leave(conversation_id)
        self._deleted.append(self._repository.delete_conversation(conversation_id))

    def undo(self) -> str:
        """Restore the conversation deleted last, and return its id.

        Raises:
            TuteeError: none was deleted since Tutee started.
        """
        if not self._deleted:
            raise TuteeError(_("No chat was deleted since Tutee started."))
        self._repository.restore_conversation(self._deleted[-1])
        return self._deleted.pop().conversation.id

    def text(self, conversation_id: str) -> str:
        """The current branch of a conversation as Markdown, corrections in place of replies."""
        conversation = self._repository.conversation(conversation_id)
        sections = map(self._section, self._repository.messages(conversation_id))
        return markdown(conversation, list(sections))

    def save(self, conversation_id: str, place: str = "") -> Path:
        """Write a conversation as Markdown, and return the path.

        Args:
            place: A file or an existing folder; empty for the folder of exports.

        Raises:
            TuteeError: the file exists already or cannot be written.
        """
        path = Path(place).expanduser() if place else None
        if path is None or path.is_dir():
            title = self._repository.conversation(conversation_id).title
            path = (path or self._exports) / file_name(title, datetime.now())
        path = path.absolute()
        if path.exists():
            raise TuteeError(
                _("{file} exists already.").format(file=path), _("Choose another name.")
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


def _row(conversation: Conversation, excerpt: str = "") -> ConversationRow:
    return ConversationRow(
        id=conversation.id,
        title=harmless(conversation.title),
        updated=local_minute(conversation.updated),
        pinned=conversation.pinned,
        excerpt=excerpt,
    )


def _excerpt(message: Message | None, query: str) -> str:
    """The text around `query` in a message; empty without a query."""
    if message is None or not query:
        return ""
    text = one_line(without_files(message.content))
    place = text.casefold().find(query.casefold())
    start = max(place - _AROUND, 0)
    return ("…" if start else "") + harmless(text[start : start + 200])
