"""Conversations as trees of messages, kept one document each.

The path of a conversation is the way from its first message to the one added last. A conversation
reaches the disk with its first message, so that none stays empty.
"""

from collections.abc import Iterable
from typing import NamedTuple

from store.backups import Backups
from store.errors import TuteeError
from store.ordered import ByTime
from store.records import Chat, Conversation, Message, Thread
from store.segments import Segments

_TITLE_LENGTH = 60


class Grown(NamedTuple):
    """What chats from elsewhere brought."""

    chats: int = 0
    """Conversations that were not here before."""
    messages: int = 0
    """Messages that were not, in new conversations and in old ones."""


class Conversations:
    """All conversations of a home.

    Args:
        backups: See `Segments`.
    """

    def __init__(self, backups: Backups) -> None:
        self._begun: dict[str, Thread] = {}
        """Conversations that have not reached the disk."""
        self._messages: dict[str, Message] = {}
        self._spoken: ByTime[Conversation] = ByTime(lambda conversation: conversation.updated)
        self._kept = Segments("conversations", Thread, backups, self._changed)

    def start(self, system_prompt: str) -> Conversation:
        """Begin a conversation, in memory only."""
        conversation = Conversation()
        root = Message(conversation_id=conversation.id, role="system", content=system_prompt)
        thread = Thread(conversation=conversation, messages=(root,) if system_prompt else ())
        self._begun[conversation.id] = thread
        self._changed(None, thread)
        return conversation

    def thread(self, conversation_id: str) -> Thread:
        """A conversation with all its messages.

        Raises:
            TuteeError: there is none of that id.
        """
        thread = self._kept.documents.get(conversation_id) or self._begun.get(conversation_id)
        if thread is None:
            raise TuteeError(f"There is no conversation {conversation_id}.")
        return thread

    def message(self, message_id: str) -> Message:
        """One message, of whatever conversation.

        Raises:
            TuteeError: there is none of that id.
        """
        try:
            return self._messages[message_id]
        except KeyError:
            raise TuteeError(f"There is no message {message_id}.") from None

    def spoken(self) -> list[Conversation]:
        """Those in which the person has said something, newest first."""
        return self._spoken.all()[::-1]

    def tip(self, conversation_id: str) -> str | None:
        """The end of the conversation's path."""
        messages = self.thread(conversation_id).messages
        return messages[-1].id if messages else None

    def path(self, message_id: str | None) -> list[Message]:
        """The way to a message, first message first."""
        path = []
        while message_id is not None:
            message = self.message(message_id)
            path.append(message)
            message_id = message.parent_id
        return path[::-1]

    def add(self, message: Message) -> None:
        """Keep a message at the end of its conversation's path; the first one said titles it."""
        thread = self.thread(message.conversation_id)
        changes: dict[str, object] = {"updated": message.created}
        if message.role == "user" and not thread.conversation.title:
            changes["title"] = _title(message.content)
        conversation = thread.conversation.model_copy(update=changes)
        grown = Thread.model_construct(
            conversation=conversation, messages=(*thread.messages, message)
        )
        self._kept.put({conversation.id: grown})
        self._begun.pop(conversation.id, None)

    def add_chats(self, chats: Iterable[Chat]) -> Grown:
        """Keep conversations from elsewhere; of those that are here, the new messages."""
        grown: dict[str, Thread] = {}
        before = len(self._kept.documents), len(self._messages)
        for chat in chats:
            chat_id = chat.conversation.id
            here = grown.get(chat_id) or self._kept.documents.get(chat_id)
            old = here.messages if here else ()
            known = {message.id for message in old}
            new = tuple(message for message in chat.messages if message.id not in known)
            if new:
                conversation = chat.conversation
                if here:
                    latest = max(here.conversation.updated, conversation.updated)
                    conversation = here.conversation.model_copy(update={"updated": latest})
                grown[chat_id] = Thread(conversation=conversation, messages=(*old, *new))
        self._kept.put(grown)
        return Grown(len(self._kept.documents) - before[0], len(self._messages) - before[1])

    def _changed(self, before: Thread | None, after: Thread | None) -> None:
        if after is None:
            return  # a conversation is never taken away
        for message in after.messages[len(before.messages) if before else 0 :]:
            self._messages[message.id] = message
        if any(message.role == "user" for message in after.messages):
            self._spoken.put(after.conversation.id, after.conversation)


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_LENGTH else line[: _TITLE_LENGTH - 1].rstrip() + "…"
