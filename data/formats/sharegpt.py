"""ShareGPT's `{"conversations": [{"from", "value"}, …]}`, as FastChat, Axolotl and LLaMA-Factory
read it.

All replies are learned, as in those programs, except those with `weight: 0` (which Axolotl skips;
the writer marks the replies in the prompt this way). With `chosen` and `rejected` (one message
each), or with `kto_tag`, it is LLaMA-Factory's preference or verdict.
"""

from typing import Any

from data.formats.common import Format, ParsedRow, Row, read_replies
from data.formats.messages import read_preference, read_verdict
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

_FROM = {"system": "system", "user": "human", "assistant": "gpt"}
_KEY = "conversations"


def _matches(row: Row) -> bool:
    return _KEY in row


def _read(row: Row, origin: Origin) -> ParsedRow:
    if "chosen" in row and "rejected" in row:
        return read_preference(row, _KEY, origin, row)
    return read_verdict(row, _KEY, origin) or read_replies(row, _KEY, origin)


def _write(record: Record) -> Row:
    match record:
        case Instruction():
            prompt = [_context(message) for message in record.prompt]
            return {_KEY: [*prompt, _reply(record.completion)]}
        case Verdict():
            messages = [*map(_message, record.prompt), _reply(record.completion)]
            return {_KEY: messages, "kto_tag": record.label}
        case Preference():
            return {
                _KEY: [*map(_message, record.prompt)],
                "chosen": _reply(record.chosen),
                "rejected": _reply(record.rejected),
            }


def _message(message: ChatMessage) -> dict[str, Any]:
    return {"from": _FROM[message.role], "value": message.content}


def _context(message: ChatMessage) -> dict[str, Any]:
    return _message(message) | ({"weight": 0} if message.role == "assistant" else {})


def _reply(text: str) -> dict[str, Any]:
    return {"from": "gpt", "value": text}


SHAREGPT = Format("sharegpt", _matches, _read, _write)
