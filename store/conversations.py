"""Conversations as trees of messages, stored as one document each.

A regenerated reply or an edited question is a new message beside the old one, so nothing is ever
overwritten. The *path* of a conversation is the one way through its tree that is shown and sent to
the model; adding a message moves the path there, and so does `choose`. A conversation reaches the
disk with its first message, so that none stays empty.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from store.backups import Backups
from store.errors import TuteeError
from store.i18n import _
from store.records import Conversation, ConversationTree, ImportedConversation, Message
from store.segments import Segments
from store.time_ordered import TimeOrdered
from store.titles import title_of


class Conversations:
    """All conversations of a home."""

    def __init__(self, backups: Backups) -> None:
        self._unsaved: dict[str, ConversationTree] = {}
        """Conversations without a message yet, kept in memory only."""
        self._messages: dict[str, Message] = {}
        self._spoken: TimeOrdered[Conversation] = TimeOrdered(
            lambda conversation: conversation.updated
        )
        self._stored = Segments("conversations", ConversationTree, backups, self._changed)

    # -- what there is ---------------------------------------------------------------------------

    def tree(self, conversation_id: str) -> ConversationTree:
        """Return a conversation with all its messages; raise TuteeError for an unknown id."""
        tree = self._stored.documents.get(conversation_id) or self._unsaved.get(conversation_id)
        if tree is None:
            raise TuteeError(
                _("There is no conversation {conversation_id}.").format(
                    conversation_id=conversation_id
                )
            )
        return tree

    def message(self, message_id: str) -> Message:
        """Return one message, of any conversation; raise TuteeError for an unknown id."""
        try:
            return self._messages[message_id]
        except KeyError:
            raise TuteeError(
                _("There is no message {message_id}.").format(message_id=message_id)
            ) from None

    def ids(self) -> Iterator[str]:
        """Yield the ids of all conversations and messages."""
        yield from self._unsaved
        yield from self._stored.documents
        yield from self._messages

    def spoken(self) -> list[Conversation]:
        """Return the conversations in which the user has written something, newest first."""
        return self._spoken.all()[::-1]

    def answered(self) -> bool:
        """Return whether any conversation has a reply."""
        return any(message.role == "assistant" for message in self._messages.values())

    def tip(self, conversation_id: str) -> str | None:
        """Return the id of the last message on the conversation's path."""
        tree = self.tree(conversation_id)
        last = tree.messages[-1].id if tree.messages else None
        return tree.conversation.tip or last

    def path(self, message_id: str | None) -> list[Message]:
        """Return the messages that lead to one, itself included, first message first."""
        path = []
        while message_id is not None:
            message = self.message(message_id)
            path.append(message)
            message_id = message.parent_id
        return path[::-1]

    def children(self, message_id: str) -> list[Message]:
        """Return the messages whose parent a message is, oldest first."""
        tree = self.tree(self.message(message_id).conversation_id)
        return [message for message in tree.messages if message.parent_id == message_id]

    def siblings(self, conversation_id: str) -> dict[str, tuple[str, ...]]:
        """Map each message to all versions of it, itself included, oldest first."""
        places: dict[tuple[str | None, str], list[str]] = {}
        for message in self.tree(conversation_id).messages:
            places.setdefault((message.parent_id, message.role), []).append(message.id)
        return {each: tuple(place) for place in places.values() for each in place}

    # -- talking ---------------------------------------------------------------------------------

    def start(self, system_prompt: str) -> Conversation:
        """Begin a conversation, in memory only."""
        conversation = Conversation()
        root = Message(conversation_id=conversation.id, role="system", content=system_prompt)
        tree = ConversationTree(
            conversation=conversation, messages=(root,) if system_prompt else ()
        )
        self._unsaved[conversation.id] = tree
        self._changed(None, tree)
        return conversation

    def add(self, message: Message) -> None:
        """Store a message and move the path to it."""
        tree = self.tree(message.conversation_id)
        messages = (*tree.messages, message)
        changes: dict[str, Any] = {"updated": message.created, "tip": None}
        if message.role == "user":
            changes["title"] = _retitled(tree, message)
        conversation = tree.conversation.model_copy(update=changes)
        self._store(ConversationTree.model_construct(conversation=conversation, messages=messages))

    def choose(self, message_id: str) -> None:
        """Make the path go through a message, to its newest descendant."""
        message = self.message(message_id)
        tip, behind = message.id, {message.id}
        for other in self.tree(message.conversation_id).messages:
            if other.parent_id in behind:
                tip = other.id
                behind.add(tip)
        self.change(message.conversation_id, tip=tip)

    def change(self, conversation_id: str, **changes: Any) -> Conversation:
        """Change the fields of a conversation; its messages stay."""
        tree = self.tree(conversation_id)
        conversation = tree.conversation.model_copy(update=changes)
        if conversation != tree.conversation:
            self._store(
                ConversationTree.model_construct(conversation=conversation, messages=tree.messages)
            )
        return conversation

    def rename(self, conversation_id: str, title: str) -> Conversation:
        """Set the title; an empty one restores the title from the path's first question."""
        path = self.path(self.tip(conversation_id))
        title = " ".join(title.split()) or title_of(m.content for m in path if m.role == "user")
        return self.change(conversation_id, title=title)

    def _store(self, tree: ConversationTree) -> None:
        conversation_id = tree.conversation.id
        if not any(message.role != "system" for message in tree.messages):
            self._unsaved[conversation_id] = tree
            return
        self._stored.put({conversation_id: tree})
        self._unsaved.pop(conversation_id, None)

    # -- coming and going ------------------------------------------------------------------------

    def delete(self, conversation_id: str) -> ConversationTree:
        """Delete a conversation and return it for `restore`."""
        tree = self.tree(conversation_id)
        if self._unsaved.pop(conversation_id, None):
            self._changed(tree, None)
        else:
            self._stored.put({conversation_id: None})
        return tree

    def restore(self, tree: ConversationTree) -> None:
        """Put a deleted conversation back unchanged; an existing one is left alone."""
        if tree.conversation.id not in self._stored.documents:
            self._store(tree)

    def add_imported(self, imported: Iterable[ImportedConversation]) -> tuple[int, int]:
        """Store imported conversations; of existing ones, only their new messages.

        Return the numbers of new conversations and of new messages.
        """
        trees: dict[str, ConversationTree] = {}
        before = len(self._stored.documents), len(self._messages)
        for conversation, messages in imported:
            here = trees.get(conversation.id) or self._stored.documents.get(conversation.id)
            old = here.messages if here else ()
            old_ids = {message.id for message in old}
            new = tuple(message for message in messages if message.id not in old_ids)
            if new:
                if here:
                    latest = max(here.conversation.updated, conversation.updated)
                    changes = {"updated": latest, "tip": None}
                    conversation = here.conversation.model_copy(update=changes)
                trees[conversation.id] = ConversationTree(
                    conversation=conversation, messages=(*old, *new)
                )
        self._stored.put(trees)
        return len(self._stored.documents) - before[0], len(self._messages) - before[1]

    def _changed(self, before: ConversationTree | None, after: ConversationTree | None) -> None:
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


def _retitled(tree: ConversationTree, question: Message) -> str:
    """Update the title for another question; a title the user gave stays."""
    questions = [message.content for message in tree.messages if message.role == "user"]
    title = tree.conversation.title
    return title_of([*questions, question.content]) if title in ("", title_of(questions)) else title
