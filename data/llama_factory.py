"""LLaMA-Factory's `dataset_info.json`: what each file is, and what its columns mean.

LLaMA-Factory looks up every listed column in every row, so only existing columns are listed. TRL
rows are not supported: it expects a reply as text or as one message, not as a list.
"""

from collections.abc import Iterable
from typing import Any

from data.export_tables import Table
from data.formats import LLAMA_FACTORY

_REPLIES = {"chosen": "chosen", "rejected": "rejected"}
_COLUMNS = {
    "messages": {"messages": "messages", "kto_tag": "label"},
    "sharegpt": {"messages": "conversations", **_REPLIES, "kto_tag": "kto_tag"},
    "alpaca": {
        "prompt": "instruction",
        "query": "input",
        "response": "output",
        **_REPLIES,
        "system": "system",
        "history": "history",
        "kto_tag": "kto_tag",
    },
    "csv": {
        "prompt": "prompt",
        "response": "completion",
        **_REPLIES,
        "system": "system",
        "kto_tag": "label",
    },
}
_OPENAI_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def dataset_info(tables: Iterable[Table]) -> dict[str, Any]:
    """Return the entries of the tables it can read, by dataset name."""
    return {
        f"tutee_{table.name.partition('.')[0].replace('-', '_')}": _entry(table)
        for table in tables
        if table.format in LLAMA_FACTORY
    }


def _entry(table: Table) -> dict[str, Any]:
    keys = table.rows[0].keys()
    columns = {what: key for what, key in _COLUMNS[table.format].items() if key in keys}
    entry: dict[str, Any] = {"file_name": table.name}
    if table.format in ("messages", "sharegpt"):
        entry["formatting"] = "sharegpt"
    if table.kind == "preference":
        entry["ranking"] = True
    entry["columns"] = columns
    if table.format == "messages":
        entry["tags"] = _OPENAI_TAGS
    return entry
