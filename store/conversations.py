"""Conversations as trees of messages, kept one document each.

Whatever is said again, differently, is a new message beside the old one, so nothing is ever
overwritten. The *path* of a conversation is the one way through its tree that is shown and that the
model sees; adding a message puts the path there, and `choose` moves it. A conversation reaches the
disk with its first message, so that none stays empty.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from store.backups import Backups
from store.errors import TuteeError
from store.i18n import _
from store.records import Chat, Conversation, Message, Thread
from store.segments import Segments
from store.time_ordered import ByTime
from store.titles import title_of


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

    # -- what there is ---------------------------------------------------------------------------

    def thread(self, conversation_id: str) -> Thread:
        """A conversation with all its messages.

        Raises:
            TuteeError: there is none of that id.
        """
        thread = self._kept.documents.get(conversation_id) or self._begun.get(conversation_id)
        if thread is None:
            raise TuteeError(
                _("There is no conversation {conversation_id}.").format(
                    conversation_id=conversation_id
                )
            )
        return thread

    def message(self, message_id: str) -> Message:
        """One message, of whatever conversation.

        Raises:
            TuteeError: there is none of that id.
        """
        try:
            return self._messages[message_id]
        except KeyError:
            raise TuteeError(
                _("There is no message {message_id}.").format(message_id=message_id)
            ) from None

    def ids(self) -> Iterator[str]:
        """Of all conversations and messages."""
        yield from self._begun
        yield from self._kept.documents
        yield from self._messages

    def spoken(self) -> list[Conversation]:
        """Those in which the person has said something, newest first."""
        return self._spoken.all()[::-1]

    def answered(self) -> bool:
        """Whether any reply was ever given."""
        return any(message.role == "assistant" for message in self._messages.values())

    def tip(self, conversation_id: str) -> str | None:
        """The end of the conversation's path."""
        thread = self.thread(conversation_id)
        last = thread.messages[-1].id if thread.messages else None
        return thread.conversation.tip or last

    def path(self, message_id: str | None) -> list[Message]:
        """The way to a message, first message first."""
        path = []
        while message_id is not None:
            message = self.message(message_id)
            path.append(message)
            message_id = message.parent_id
        return path[::-1]

    def siblings(self, conversation_id: str) -> dict[str, tuple[str, ...]]:
        """For each message the ones in its place, itself included, oldest first."""
        places: dict[tuple[str | None, str], list[str]] = {}
        for message in self.thread(conversation_id).messages:
            places.setdefault((message.parent_id, message.role), []).append(message.id)
        return {each: tuple(place) for place in places.values() for each in place}

    # -- talking ---------------------------------------------------------------------------------

    def start(self, system_prompt: str) -> Conversation:
        """Begin a conversation, in memory only."""
        conversation = Conversation()
        root = Message(conversation_id=conversation.id, role="system", content=system_prompt)
        thread = Thread(conversation=conversation, messages=(root,) if system_prompt else ())
        self._begun[conversation.id] = thread
        self._changed(None, thread)
        return conversation

    def add(self, message: Message) -> None:
        """Keep a message, and put the path there."""
        thread = self.thread(message.conversation_id)
        messages = (*thread.messages, message)
        changes: dict[str, Any] = {"updated": message.created, "tip": None}
        if message.role == "user":
            changes["title"] = _retitled(thread, message)
        conversation = thread.conversation.model_copy(update=changes)
        self._keep(Thread.model_construct(conversation=conversation, messages=messages))

    def choose(self, message_id: str) -> None:
        """Put the path through a message, and on to what was added last behind it."""
        message = self.message(message_id)
        tip, behind = message.id, {message.id}
        for other in self.thread(message.conversation_id).messages:
            if other.parent_id in behind:
                tip = other.id
                behind.add(tip)
        self.change(message.conversation_id, tip=tip)

    def change(self, conversation_id: str, **changes: Any) -> Conversation:
        """Change what a conversation says of itself; its messages stay."""
        thread = self.thread(conversation_id)
        conversation = thread.conversation.model_copy(update=changes)
        if conversation != thread.conversation:
            self._keep(Thread.model_construct(conversation=conversation, messages=thread.messages))
        return conversation

    def _keep(self, thread: Thread) -> None:
        conversation_id = thread.conversation.id
        if not any(message.role != "system" for message in thread.messages):
            self._begun[conversation_id] = thread
            return
        self._kept.put({conversation_id: thread})
        self._begun.pop(conversation_id, None)

    # -- coming and going ------------------------------------------------------------------------

    def delete(self, conversation_id: str) -> Thread:
        """Take a conversation away; `restore` puts it back."""
        thread = self.thread(conversation_id)
        if self._begun.pop(conversation_id, None):
            self._changed(thread, None)
        else:
            self._kept.put({conversation_id: None})
        return thread

    def restore(self, thread: Thread) -> None:
        """Put a deleted conversation back as it was; one that is here stays as it is."""
        if thread.conversation.id not in self._kept.documents:
            self._keep(thread)

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
                    changes = {"updated": latest, "tip": None}
                    conversation = here.conversation.model_copy(update=changes)
                grown[chat_id] = Thread(conversation=conversation, messages=(*old, *new))
        self._kept.put(grown)
        return Grown(len(self._kept.documents) - before[0], len(self._messages) - before[1])

    def _changed(self, before: Thread | None, after: Thread | None) -> None:
        if after is None:
            for message in before.messages if before else ():
                self._messages.pop(message.id, None)
            if before:
                self._spoken.discard(before.conversation.id)
            return
        for message in after.messages[len(before.messages) if before else 0 :]:
            self._messages[message.id] = message
        if any(message.role == "user" for message in after.messages):
            self._spoken.put(after.conversation.id, after.conversation)


def _retitled(thread: Thread, said: Message) -> str:
    """The title with one more question; one that the person gave stays."""
    questions = [message.content for message in thread.messages if message.role == "user"]
    title = thread.conversation.title
    return title_of([*questions, said.content]) if title in ("", title_of(questions)) else title
