"""Read a file of prompts that have no replies yet, to be answered by the model and rated.

A text file has one prompt per line. JSON and tables name it `prompt`, `question` or `instruction`;
of a conversation, its first question counts. Rows without a prompt are skipped.
"""

from collections.abc import Iterator
from pathlib import Path

from data import row_files
from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _

_ROWS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".zip", ".gz")
_NAMES = ("prompt", "question", "instruction", "messages", "conversation", "conversations", "text")
_LONGEST = 32_000
"""Maximum characters of a prompt; more fits into no context that runs here."""


def read_prompts(path: Path) -> list[str]:
    """Return the different prompts of a file, in its order.

    Raises:
        TuteeError: It cannot be read, or has no prompts.
    """
    if path.suffix.lower() in _ROWS:
        rows = (row for part in row_files.parts(path) for _line, row in part.rows)
        found = [prompt_of(row) for row in rows]
    else:
        found = list(_lines(path))
    prompts = dict.fromkeys(text.strip() for text in found if text.strip())
    if not prompts:
        raise TuteeError(
            _("There are no prompts in {path}.").format(path=path),
            _("Write one prompt per line, or JSON rows that have a `prompt`."),
        )
    return [text[:_LONGEST] for text in prompts]


def prompt_of(row: object) -> str:
    """Return the prompt of a row; empty if it has none."""
    if isinstance(row, str):
        return row
    if isinstance(row, list):
        return next(filter(None, map(_said_by_user, row)), "")
    if not isinstance(row, dict):
        return ""
    named = next((name for name in _NAMES if row.get(name)), "")
    prompt = prompt_of(row.get(named))
    context = row.get("input") if named == "instruction" else None
    return f"{prompt}\n\n{context}" if prompt and context and isinstance(context, str) else prompt


def _said_by_user(message: object) -> str:
    if not isinstance(message, dict) or message.get("role", message.get("from")) not in (
        "user",
        "human",
    ):
        return ""
    text = message.get("content", message.get("value"))
    return text if isinstance(text, str) else ""


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TuteeError(
            _("Cannot read {path}: {why}.").format(path=path, why=reason(error))
        ) from error
    except UnicodeDecodeError as error:
        raise TuteeError(_("{name} is not a text file.").format(name=path.name)) from error
    yield from text.splitlines()
