"""Filter and sort records, and make a table row of each. Pure, so searching can run in a thread."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from data.quality.statistics import question_of
from store.i18n import N_, _
from store.local_time import local
from store.records import Preference, Record, Verdict
from tui.background import Stopped
from tui.text_format import harmless, one_line

TaskOf = Callable[[Record], str]

_LONGEST_LINE = 400
"""Most characters of a text that fit on a line."""


@dataclass(frozen=True)
class RecordView:
    id: str
    when: str
    kind: str
    """Includes the thumb of a verdict."""
    prompt: str
    reply: str
    feedback: str
    """Reasons and comment."""
    task: str
    source: str
    learned: str
    """Versions that learned it, or “excluded”."""
    excluded: bool = False
    problems: tuple[str, ...] = ()
    """Findings of the check."""


@dataclass(frozen=True)
class RecordQuery:
    """A filter; an empty one matches every record."""

    words: tuple[str, ...] = ()
    """Each must occur in the texts, reasons, comment or thumb."""
    kind: str = ""
    source: str = ""
    task: str = ""

    def __bool__(self) -> bool:
        return bool(self.words or self.kind or self.source or self.task)


def parse_query(text: str) -> RecordQuery:
    """Parse a filter like `kind:preference source:import wrong`, ignoring case."""
    words: list[str] = []
    named: dict[str, str] = {}
    for part in text.lower().split():
        name, colon, value = part.partition(":")
        if colon and name in ("kind", "source", "task"):
            named[name] = value
        else:
            words.append(part)
    return RecordQuery(tuple(words), **named)


def search(
    records: Sequence[Record], query: RecordQuery, task_of: TaskOf, stopped: Stopped = lambda: False
) -> list[Record]:
    """Return the records that match, in order; incomplete if stopped."""
    found = []
    for record in records:
        if stopped():
            break
        if _matches(record, query, task_of):
            found.append(record)
    return found


ORDERS = (
    "newest",
    "oldest",
    N_("kind"),
    N_("prompt"),
    N_("reply"),
    N_("task"),
    N_("source"),
    N_("learned"),
)


def sort_records(
    records: Sequence[Record], order: str, task_of: TaskOf, learned: Mapping[str, str]
) -> list[Record]:
    """Sort records, given newest first, by `order`; the sort is stable."""
    if order == "oldest":
        return list(reversed(records))
    keys: dict[str, Callable[[Record], str]] = {
        "kind": lambda record: f"{record.kind} {thumb(record)}",
        "prompt": lambda record: question_of(record).strip().lower(),
        "reply": lambda record: reply_summary(record).strip().lower(),
        "task": task_of,
        "source": lambda record: record.origin.source,
        "learned": lambda record: learned.get(record.id, ""),
    }
    return sorted(records, key=keys[order]) if order in keys else list(records)


def _matches(record: Record, query: RecordQuery, task_of: TaskOf) -> bool:
    return (
        record.kind.startswith(query.kind)
        and query.source in record.origin.source.lower()
        and all(any(word in text.lower() for text in _texts(record)) for word in query.words)
        # Last, because labeling the task is slow.
        and (not query.task or task_of(record).startswith(query.task))
    )


def _texts(record: Record) -> Iterable[str]:
    yield from (message.content for message in record.prompt)
    yield record.comment
    if record.excluded:
        yield from ("excluded", _("excluded"))
    match record:
        case Preference():
            yield from (record.chosen, record.rejected)
        case Verdict():
            yield from (record.completion, thumb(record), *record.reasons)
        case _:
            yield record.completion


# -- rows ------------------------------------------------------------------------------------------


def record_view(
    record: Record,
    task_of: TaskOf,
    learned: Mapping[str, str],
    findings: Mapping[str, Sequence[str]],
    today: datetime,
) -> RecordView:
    """Build the table row of a record.

    Args:
        learned: Versions that learned a record, by record id.
        findings: Problems the check found, by record id.
        today: Decides how much of the date to show.
    """
    return RecordView(
        id=record.id,
        when=_when(record.created, today),
        kind=f"{_(record.kind)} {thumb(record)}".strip(),
        prompt=_line(question_of(record)[:_LONGEST_LINE]),
        reply=_line(reply_summary(record)),
        feedback=_feedback(record),
        task=_(task_of(record)),
        source=harmless(record.origin.source),
        learned=_("excluded") if record.excluded else learned.get(record.id, ""),
        excluded=record.excluded,
        problems=tuple(map(harmless, findings.get(record.id, ()))),
    )


def thumb(record: Record) -> str:
    """Return 👍 or 👎 for a verdict, otherwise an empty string."""
    if not isinstance(record, Verdict):
        return ""
    return "👍" if record.label else "👎"


def reply_summary(record: Record) -> str:
    """Return the reply, or both replies of a pair, the chosen one first; each cut to a line."""
    if isinstance(record, Preference):
        return f"{record.chosen[:_LONGEST_LINE]} › {record.rejected[:_LONGEST_LINE]}"
    return record.completion[:_LONGEST_LINE]


def _feedback(record: Record) -> str:
    reasons = _(", ").join(map(_, record.reasons)) if isinstance(record, Verdict) else ""
    return _line(" · ".join(filter(None, (reasons, record.comment))))


def _line(text: str) -> str:
    return harmless(one_line(text))


def _when(moment: datetime, today: datetime) -> str:
    """Format as a time if today, as a day if this year, otherwise as a year."""
    moment, today = local(moment), local(today)
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    if moment.year == today.year:
        return _("{moment:%b %d}").format(moment=moment)
    return f"{moment.year:04}"
