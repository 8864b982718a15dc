"""The output of `llm logs --json`: a row for each reply, with its prompt and its conversation.

A row is one exchange; `join` merges the exchanges of a conversation. The system prompt is that of
the first one. Fragments before a prompt are printed in full with `--expand` only; a prompt with a
shortened fragment is incomplete.
"""

from collections.abc import Mapping
from typing import Any

from data.chat_exports.fields import (
    FILE,
    TOOL_CALL,
    TOOL_OUTPUT,
    items,
    key,
    mapping,
    name,
    plain,
    title,
)
from data.chat_exports.message_tree import SourceConversation, SourceMessage, read_tree
from data.formats.common import Format, ParsedRow, Row, parse_time, stable_id
from store.i18n import N_
from store.records import Origin

_SHORTENED = 100
"""The length to which the program shortens, ellipsis included."""


def _matches(row: Row) -> bool:
    return {"prompt", "response"} <= row.keys() and bool(
        {"conversation_id", "datetime_utc", "prompt_json"} & row.keys()
    )


def _read(row: Row, origin: Origin) -> ParsedRow:
    prompt, cut = _with_fragments(row, "prompt")
    system, system_cut = _with_fragments(row, "system")
    reply = plain(row.get("response"))
    # Not the row's id alone: a row edited by hand is another exchange.
    exchange = stable_id(key(row.get("id")) or "", prompt, reply)
    created = parse_time(row.get("datetime_utc"))
    about = SourceConversation(
        program="llm",
        id=key(row.get("conversation_id")) or exchange,
        origin=origin,
        title=title(row.get("conversation_name")),
        created=created,
        updated=created,
        system=system,
    )
    lacks = _lacks(row) or (N_("the rest of a fragment") if cut or system_cut else "")
    question = SourceMessage(f"{exchange}:prompt", None, "user", prompt, created, lacks=lacks)
    model = name(row.get("resolved_model")) or name(row.get("model"))
    called = TOOL_CALL if row.get("tool_calls") else ""
    answer = SourceMessage(
        f"{exchange}:reply", question.id, "assistant", reply, created, model, lacks=called
    )
    return read_tree(about, [question, answer])


def _lacks(row: Mapping[str, Any]) -> str:
    if row.get("attachments"):
        return FILE
    return TOOL_OUTPUT if row.get("tool_results") else ""


def _with_fragments(row: Mapping[str, Any], of: str) -> tuple[str, bool]:
    """A prompt preceded by its fragments, and whether any of them is shortened."""
    given = [plain(mapping(one).get("content")) for one in items(row.get(f"{of}_fragments"))]
    cut = any(len(one) == _SHORTENED and one.endswith("...") for one in given)
    return "\n".join(filter(None, (*given, plain(row.get(of))))), cut


LLM = Format("llm", _matches, _read)
