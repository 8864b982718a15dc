"""ShareGPT's `{"conversations": [{"from", "value"}, …]}`, as FastChat, Axolotl and LLaMA-Factory
read it.

All replies are learned, as those programs do, except those with `weight: 0` (which Axolotl leaves
out; the writer marks the replies of the prompt so). With `chosen` and `rejected` (one message
each), or with `kto_tag`, it is LLaMA-Factory's preference or verdict.
"""

from typing import Any

from data.formats.common import Format, ParsedRow, Row, read_instructions
from data.formats.messages import read_preference, read_verdict
from store.records import ChatMessage, Instruction, Origin, Preference, Record, Verdict

_FROM = {"system": "system", "user": "human", "assistant": "gpt"}
_KEY = "conversations"


def _matches(row: Row) -> bool:
    return _KEY in row


def _read(row: Row, origin: Origin) -> ParsedRow:
    if "chosen" in row and "rejected" in row:
        return read_preference(row, _KEY, origin, row)
    return read_verdict(row, _KEY, origin) or read_instructions(row, _KEY, origin)


def _write(record: Record) -> Row:
    match record:
        case Instruction():
            asked = [_context(turn) for turn in record.prompt]
            return {_KEY: [*asked, _reply(record.completion)]}
        case Verdict():
            spoken = [*map(_message, record.prompt), _reply(record.completion)]
            return {_KEY: spoken, "kto_tag": record.label}
        case Preference():
            return {
                _KEY: [*map(_message, record.prompt)],
                "chosen": _reply(record.chosen),
                "rejected": _reply(record.rejected),
            }


def _message(turn: ChatMessage) -> dict[str, Any]:
    return {"from": _FROM[turn.role], "value": turn.content}


def _context(turn: ChatMessage) -> dict[str, Any]:
    return _message(turn) | ({"weight": 0} if turn.role == "assistant" else {})


def _reply(text: str) -> dict[str, Any]:
    return {"from": "gpt", "value": text}


SHAREGPT = Format("sharegpt", _matches, _read, _write)
