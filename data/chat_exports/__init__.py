"""Conversations and feedback from other programs: one module per program.

A conversation is kept whole, to be read, rated and corrected here. Nothing is learned from it
unless somebody rated a reply: only thumbs and rankings become records.
"""

from data.chat_exports.aistudio import AISTUDIO
from data.chat_exports.chatbotui import CHATBOTUI
from data.chat_exports.chatgpt import CHATGPT
from data.chat_exports.claude import CLAUDE
from data.chat_exports.joining import join
from data.chat_exports.librechat import LIBRECHAT
from data.chat_exports.llm import LLM
from data.chat_exports.lmstudio import LMSTUDIO
from data.chat_exports.message_lines import MESSAGE_LINES, gather
from data.chat_exports.openassistant import OPENASSISTANT
from data.chat_exports.openwebui import OPENWEBUI
from data.chat_exports.openwebui_feedback import OPENWEBUI_FEEDBACK
from data.formats.common import Format

__all__ = ["CHATS", "gather", "join"]

CHATS: tuple[Format, ...] = (
    OPENWEBUI_FEEDBACK,
    OPENWEBUI,
    CHATGPT,
    LIBRECHAT,
    CHATBOTUI,
    LLM,
    OPENASSISTANT,
    CLAUDE,
    LMSTUDIO,
    AISTUDIO,
    MESSAGE_LINES,
)
"""The more specific first; no row of one matches another."""
