"""Chatbot UI's export: all conversations in one object, each a plain list of messages.

Its folders and prompt templates are not read: they contain no messages.
"""

from collections.abc import Mapping
from typing import Any, cast

from data.chat_exports.fields import items, key, mapping, name, parts, plain, title
from data.chat_exports.message_tree import SourceConversation, SourceMessage, identity, read_tree
from data.formats.common import Format, ParsedRow, Row, RowError
from store.i18n import N_, _
from store.records import Origin, Role

_ROLES = ("system", "user", "assistant")


def _matches(row: Row) -> bool:
    beside = {"version", "folders", "prompts"} & row.keys()
    return isinstance(row.get("history"), list) and bool(beside)


def _read(row: Row, origin: Origin) -> ParsedRow:
    each: list[ParsedRow] = []
    refused: list[str] = []
    for number, conversation in enumerate(row["history"], start=1):
        try:
            each.append(_conversation(mapping(conversation), origin))
        except RowError as error:
            refused.append(_("conversation {number}: {reason}").format(number=number, reason=error))
        else:
            refused.extend(
                _("conversation {number}: {reason}").format(number=number, reason=reason)
                for reason in each[-1].refused
            )
    if not each:
        raise RowError(_("; ").join(refused) or _("there is no conversation in it"))
    return ParsedRow(
        conversations=tuple(chat for one in each for chat in one.conversations),
        refused=tuple(refused),
        incomplete=frozenset[str]().union(*(one.incomplete for one in each)),
    )


def _conversation(given: Mapping[str, Any], origin: Origin) -> ParsedRow:
    model = mapping(given.get("model"))
    used = name(model.get("id")) or name(given.get("model"))
    messages = [
        _message(index, message, used) for index, message in enumerate(items(given.get("messages")))
    ]
    about = SourceConversation(
        program="chatbotui",
        id=key(given.get("id")) or identity(messages),
        origin=origin,
        title=title(given.get("name")),
        system=plain(given.get("prompt")),
    )
    return read_tree(about, messages)


def _message(index: int, message: object, model: str | None) -> SourceMessage:
    content, lacks = parts(mapping(message).get("content"))
    role = mapping(message).get("role")
    known = role in _ROLES
    return SourceMessage(
        id=f"#{index}",
        parent=f"#{index - 1}" if index else None,
        role=cast(Role, role) if known else None,
        content=content,
        model=model,
        lacks=lacks if known else N_("it has no known role"),
    )


CHATBOTUI = Format("chatbotui", _matches, _read)
