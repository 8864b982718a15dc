"""Conversations and feedback of other programs: one module a program.

A conversation is kept whole, to be read, rated and corrected here. Nothing is learned from it
unless somebody judged a reply: only thumbs and rankings become records.
"""

from data.chats.chatbotui import CHATBOTUI
from data.chats.chatgpt import CHATGPT
from data.chats.joining import join
from data.chats.librechat import LIBRECHAT
from data.chats.llm import LLM
from data.chats.openassistant import OPENASSISTANT
from data.chats.openwebui import OPENWEBUI
from data.chats.openwebui_feedback import OPENWEBUI_FEEDBACK
from data.formats.common import Format

__all__ = ["CHATS", "join"]

CHATS: tuple[Format, ...] = (
    OPENWEBUI_FEEDBACK,
    OPENWEBUI,
    CHATGPT,
    LIBRECHAT,
    CHATBOTUI,
    LLM,
    OPENASSISTANT,
)
"""The more telling first; no row of one is a row of another."""
