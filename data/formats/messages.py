"""`{"messages": [{"role", "content"}, …]}`: OpenAI's fine-tuning rows, and everybody's since."""

from data.formats.common import Format, Found, Row, RowError, dumped, not_empty, prompt, said, turns
from store.records import Instruction, Origin, Record


def _matches(row: Row) -> bool:
    return "messages" in row


def _read(row: Row, origin: Origin) -> Found:
    if "label" in row:
        raise RowError("messages with a label; a verdict needs prompt, completion and label")
    spoken = turns(row["messages"], "messages")
    if spoken[-1].role != "assistant":
        raise RowError("the last message is not the assistant's")
    reply = not_empty(spoken[-1].content)
    return Found((Instruction(origin=origin, prompt=prompt(spoken[:-1]), completion=reply),))


def _write(record: Record) -> Row | None:
    if not isinstance(record, Instruction):
        return None
    return {"messages": [*dumped(record.prompt), *said(record.completion)]}


MESSAGES = Format("messages", _matches, _read, _write)
