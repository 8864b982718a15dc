"""Questions about all conversations at once."""

from typing import NamedTuple

from store.conversations import Conversations
from store.records import Conversation, Message


class SearchHit(NamedTuple):
    conversation: Conversation
    message: Message | None
    """The newest message that contains it; None if only the title does."""


def search(conversations: Conversations, text: str) -> list[SearchHit]:
    """Return the conversations with `text` in their title or any message, newest first."""
    wanted = text.casefold()
    hits = []
    for conversation in conversations.spoken():
        messages = conversations.tree(conversation.id).messages
        matching = (m for m in reversed(messages) if wanted in m.content.casefold())
        newest = next((m for m in matching if m.role != "system"), None)
        if newest or wanted in conversation.title.casefold():
            hits.append(SearchHit(conversation, newest))
    return hits


def latest_questions(conversations: Conversations, count: int) -> list[str]:
    """Return the user's latest questions (not imported ones), oldest first, without repeats."""
    own = [each for each in conversations.spoken() if each.source == "chat"]
    questions = [
        message
        for conversation in own[:count]
        for message in conversations.tree(conversation.id).messages
        if message.role == "user"
    ]
    questions.sort(key=lambda message: message.created, reverse=True)
    return list(dict.fromkeys(message.content for message in questions))[:count][::-1]
