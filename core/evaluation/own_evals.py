"""The user's own evals: prompts with checks, answered by several versions side by side.

A row of the file is `{"prompt": …}` or `{"messages": […]}`, with the checks of
`core.evaluation.checks` beside it, or a row of the IFEval data set. Every version answers the same
prompts greedily, so two runs differ by the versions only.

Left out on purpose: a model as the judge. A small local one cannot tell, and a large one is not
here.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from core.evaluation.checks import Check, instructions, ready
from core.significance import mcnemar, wilson
from data.formats.common import RowError
from data.prompt_fitting import NO_EXAMPLES, Examples
from data.row_files import parts
from data.thoughts import split_thoughts
from data.training_split import with_system
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Sampling

if TYPE_CHECKING:
    from core.serving.engine import Engine

_MESSAGES: TypeAdapter[tuple[ChatMessage, ...]] = TypeAdapter(tuple[ChatMessage, ...])
_WINDOW = 32
"""Prompts answered together."""
_NO_CHECKS = frozenset(
    ("id", "key", "prompt", "messages", "system", "note", "instruction_id_list", "kwargs")
)
"""Keys of a row that are no checks; `key` is IFEval's id."""


@dataclass(frozen=True)
class EvalItem:
    id: str
    messages: tuple[ChatMessage, ...]
    checks: Mapping[str, Check]

    def failed(self, reply: str) -> tuple[str, ...]:
        """Return the names of the checks that `reply` fails."""
        question = self.messages[-1].content
        return tuple(name for name, check in self.checks.items() if not check(reply, question))


@dataclass(frozen=True)
class ItemResult:
    id: str
    prompt: str
    reply: str
    failed: tuple[str, ...]


@dataclass(frozen=True)
class EvalResult:
    """How one version did, compared with the first one."""

    version: str
    items: tuple[ItemResult, ...]
    right: int
    low: float
    """With `high`, the 95 % interval of the share that is right (Wilson)."""
    high: float
    gained: int
    """Items that the first version fails and this one does not."""
    lost: int
    p: float
    """Probability of a difference as large as this one if there were none (McNemar, two-sided)."""


def read(path: Path) -> tuple[EvalItem, ...]:
    """Read an eval file: JSONL, JSON, or a table (`.csv`, `.tsv`) with named columns.

    Raises:
        TuteeError: it cannot be read, a row is not what it should be, or there is none.
    """
    found: list[EvalItem] = []
    for line, row in _rows(path):
        try:
            if isinstance(row, RowError):
                raise ValueError(str(row))
            found.append(_item(row, str(line)))
        except (ValueError, TypeError) as error:
            raise TuteeError(
                _("Line {line} of {path} is not an eval: {why}.").format(
                    line=line, path=path, why=_why(error)
                ),
                _('For example: {"prompt": "2 + 2?", "contains": "4", "max_words": 5}'),
            ) from error
    if not found:
        raise TuteeError(_("{path} contains no prompts.").format(path=path))
    return tuple(found)


def run(
    engine: "Engine",
    items: Sequence[EvalItem],
    system_prompt: str,
    sampling: Sampling,
    on_progress: Callable[[int], None] = lambda done: None,
    examples: Callable[[Sequence[ChatMessage]], Examples] = lambda messages: NO_EXAMPLES,
) -> tuple[ItemResult, ...]:
    """Return the replies of one engine and which checks they fail.

    Args:
        system_prompt: For the items that have none.
        on_progress: Told how many items are done.
        examples: Returns what to put before the last question of a prompt.

    Raises:
        TuteeError: a prompt does not fit into the model's context.
    """
    results: list[ItemResult] = []
    for start in range(0, len(items), _WINDOW):
        window = items[start : start + _WINDOW]
        prompts = [with_system(item.messages, system_prompt) for item in window]
        replies = engine.batch(prompts, sampling, 0, [*map(examples, prompts)])
        for item, whole in zip(window, replies, strict=True):
            reply = split_thoughts(whole)[1]
            question = item.messages[-1].content
            results.append(ItemResult(item.id, question, reply, item.failed(reply)))
        on_progress(len(results))
    return tuple(results)


def compare(results: Mapping[str, tuple[ItemResult, ...]]) -> tuple[EvalResult, ...]:
    """Compare the results by version with those of the first one."""
    first = _passed(next(iter(results.values())))
    compared = []
    for version, items in results.items():
        passed = _passed(items)
        pairs = list(zip(first, passed, strict=True))
        low, high = wilson(sum(passed), len(passed))
        compared.append(
            EvalResult(
                version=version,
                items=items,
                right=sum(passed),
                low=low,
                high=high,
                gained=sum(now and not was for was, now in pairs),
                lost=sum(was and not now for was, now in pairs),
                p=mcnemar(first, passed),
            )
        )
    return tuple(compared)


def _passed(items: Iterable[ItemResult]) -> list[bool]:
    return [not item.failed for item in items]


def _rows(path: Path) -> Iterable[tuple[int, object]]:
    """Yield the rows with their lines. An empty cell of a table is no check."""
    delimiter = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    if delimiter is None:
        for part in parts(path):
            yield from part.rows
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
        table = csv.DictReader(lines, delimiter=delimiter)
        for row in table:
            cells = {name: cell for name, cell in row.items() if name and cell and cell.strip()}
            yield table.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TuteeError(_("Cannot read {path}: {why}.").format(path=path, why=error)) from error


def _item(row: Any, number: str) -> EvalItem:
    if not isinstance(row, dict):
        raise ValueError(_("it is no object"))
    if "messages" in row:
        messages = _MESSAGES.validate_python(row["messages"])
    else:
        prompt = row.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError(_("it has no prompt"))
        messages = (ChatMessage(role="user", content=prompt),)
    if not messages or messages[-1].role != "user":
        raise ValueError(_("the last message must be the user's"))
    checks: dict[str, Check] = {}
    for name, wanted in row.items():
        if name not in _NO_CHECKS and wanted is not None:
            try:
                checks[name] = ready(name, wanted)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    if "instruction_id_list" in row:
        checks |= instructions(row["instruction_id_list"], row.get("kwargs"))
    if not checks:
        raise ValueError(_("it has no check"))
    system = row.get("system")
    messages = with_system(messages, system if isinstance(system, str) else "")
    return EvalItem(str(row.get("id", row.get("key", number))), messages, checks)


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return str(error)
