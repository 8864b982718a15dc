"""The verbs of conversations: talking, going another way, finding one again, taking one away.

`store.repository` adds the verbs of feedback to these.
"""

from collections.abc import Iterable
from typing import NamedTuple

from store import feedback as acts
from store.conversations import Conversations
from store.errors import TuteeError
from store.feedback import Feedback
from store.feedback_index import Ledger
from store.i18n import _
from store.records import ChatMessage, Conversation, Message, Origin, Role, Sampling, Thread
from store.titles import title_of


class Found(NamedTuple):
    """A conversation that holds what was searched for."""

    conversation: Conversation
    message: Message | None
    """The newest message that holds it; none where only the title does."""


class Talks:
    """All conversations of a home, and what was said about the messages in them."""

    _conversations: Conversations
    _ledger: Ledger

    def start_conversation(self, system_prompt: str = "") -> Conversation:
        """Begin a conversation; it reaches the disk with its first message, so none stays empty."""
        return self._conversations.start(system_prompt)

    def conversations(self) -> list[Conversation]:
        """Those in which the person has said something, newest first."""
        return self._conversations.spoken()

    def answered(self) -> bool:
        """Whether any reply was ever given."""
        return self._conversations.answered()

    def conversation(self, conversation_id: str) -> Conversation:
        return self._conversations.thread(conversation_id).conversation

    def messages(self, conversation_id: str) -> list[Message]:
        """The path of the conversation, first message first."""
        return self._conversations.path(self._conversations.tip(conversation_id))

    def message(self, message_id: str) -> Message:
        return self._conversations.message(message_id)

    def path(self, message_id: str | None) -> list[Message]:
        """The way to a message, first message first."""
        return self._conversations.path(message_id)

    def siblings(self, conversation_id: str) -> dict[str, tuple[str, ...]]:
        """For each message of a conversation those in its place, itself included, oldest first."""
        return self._conversations.siblings(conversation_id)

    def choose(self, message_id: str) -> None:
        """Put the path of its conversation through a message, to the newest one behind it."""
        self._conversations.choose(message_id)

    def asked(self, count: int) -> list[str]:
        """What the person said last in any conversation, oldest first, nothing twice."""
        found: list[Message] = []
        own = [talk for talk in self.conversations() if talk.source == "chat"]
        for conversation in own[:count]:
            messages = self._conversations.thread(conversation.id).messages
            found += [message for message in messages if message.role == "user"]
        found.sort(key=lambda message: message.created, reverse=True)
        return list(dict.fromkeys(message.content for message in found))[:count][::-1]

    def search(self, text: str) -> list[Found]:
        """The conversations that hold `text` in their title or in anything said, newest first."""
        wanted = text.casefold()
        found = []
        for conversation in self.conversations():
            messages = self._conversations.thread(conversation.id).messages
            said = (m for m in reversed(messages) if wanted in m.content.casefold())
            newest = next((m for m in said if m.role != "system"), None)
            if newest or wanted in conversation.title.casefold():
                found.append(Found(conversation, newest))
        return found

    def rename_conversation(self, conversation_id: str, title: str) -> Conversation:
        """Give a conversation a title; an empty one brings that of its first question back."""
        asked = [m.content for m in self.messages(conversation_id) if m.role == "user"]
        title = " ".join(title.split()) or title_of(asked)
        return self._conversations.change(conversation_id, title=title)

    def pin_conversation(self, conversation_id: str, pinned: bool) -> Conversation:
        return self._conversations.change(conversation_id, pinned=pinned)

    def set_chat(
        self, conversation_id: str, *, system_prompt: str, sampling: Sampling | None
    ) -> Conversation:
        """Say how a conversation goes on from here.

        Args:
            conversation_id: Which one.
            system_prompt: In place of the one it began with; empty for that one.
            sampling: In place of the settings'; none for those.
        """
        return self._conversations.change(
            conversation_id, system_prompt=system_prompt, sampling=sampling
        )

    def delete_conversation(self, conversation_id: str) -> Thread:
        """Take a conversation away; what it taught stays.

        Returns:
            All of it; `restore_conversation` puts it back.
        """
        return self._conversations.delete(conversation_id)

    def restore_conversation(self, thread: Thread) -> None:
        self._conversations.restore(thread)

    def add_message(
        self,
        conversation_id: str,
        role: Role,
        content: str,
        *,
        parent_id: str | None = None,
        beside: str | None = None,
        origin: Origin | None = None,
        tokens: int = 0,
        seconds: float = 0.0,
    ) -> Message:
        """Keep a message; it becomes the end of the conversation's path.

        Args:
            conversation_id: The conversation it belongs to.
            role: Whose it is.
            content: Its text; the first one of the person gives the conversation its title.
            parent_id: The message it follows; the end of the path if not given.
            beside: Or the message it is another version of; a reply was then written under the
                same system prompt.
            origin: Where a reply came from.
            tokens: Tokens of a reply.
            seconds: How long it took.
        """
        system_prompt = self.conversation(conversation_id).system_prompt
        for known in filter(None, (parent_id, beside)):
            if self.message(known).conversation_id != conversation_id:
                raise TuteeError(
                    _("Message {known} is not in this conversation.").format(known=known)
                )
        parent_id = parent_id or self._conversations.tip(conversation_id)
        if beside:
            parent_id = self.message(beside).parent_id
            system_prompt = self.message(beside).system_prompt
        message = Message(
            conversation_id=conversation_id,
            parent_id=parent_id,
            role=role,
            content=content,
            origin=origin,
            system_prompt=system_prompt if role == "assistant" else "",
            tokens=tokens,
            seconds=seconds,
        )
        self._conversations.add(message)
        return message

    def prompt_for(self, message_id: str) -> tuple[ChatMessage, ...]:
        """Everything before a message, with corrections in place of what they correct."""
        message = self.message(message_id)
        return self._turns(self.path(message.parent_id), message.system_prompt)

    def turns(self, conversation_id: str, end: str | None = None) -> tuple[ChatMessage, ...]:
        """The path as the model is to see it next, with corrections in place.

        Args:
            conversation_id: Which conversation.
            end: The message it goes to, where that is not the end of the path.
        """
        path = self.path(end) if end else self.messages(conversation_id)
        return self._turns(path, self.conversation(conversation_id).system_prompt)

    def _turns(self, path: Iterable[Message], system_prompt: str) -> tuple[ChatMessage, ...]:
        """The turns of a path, with `system_prompt` before them where there is one."""
        system = (ChatMessage(role="system", content=system_prompt),) if system_prompt else ()
        said = (
            ChatMessage(role=m.role, content=self.feedback(m.id).correction or m.content)
            for m in path
            if not (system and m.role == "system")
        )
        return (*system, *said)

    def feedback(self, message_id: str) -> Feedback:
        """What stands about a message; nothing for one that was never judged."""
        return acts.feedback_of(self._ledger.about(message_id))

    def feedback_for(self, message_ids: Iterable[str]) -> dict[str, Feedback]:
        return {message_id: self.feedback(message_id) for message_id in message_ids}
