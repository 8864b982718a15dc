"""Which records are shown, and what a line says of each.

Pure, over records that never change, so that a search over many of them may run in a thread.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from data.quality.statistics import question_of
from store.i18n import N_, _
from store.records import Preference, Record, Verdict
from tui.background import Stopped
from tui.text_format import harmless, one_line

TaskOf = Callable[[Record], str]

_KEPT = 400
"""Characters of a text that a line can show at most."""


@dataclass(frozen=True)
class RecordView:
    """One line of the list of records."""

    id: str
    when: str
    kind: str
    """With the thumb of a verdict."""
    prompt: str
    reply: str
    said: str
    """Reasons and comment."""
    task: str
    source: str
    learned: str
    """The versions that learned it, or that it is excluded."""
    excluded: bool = False
    found: tuple[str, ...] = ()
    """What is wrong with it."""


@dataclass(frozen=True)
class Query:
    """What a record must have to be found; an empty one finds all."""

    words: tuple[str, ...] = ()
    """In its texts, reasons, comment or thumb."""
    kind: str = ""
    source: str = ""
    task: str = ""

    def __bool__(self) -> bool:
        return bool(self.words or self.kind or self.source or self.task)


def parsed(text: str) -> Query:
    """Read `kind:preference source:import wrong` as a person types it; case does not matter."""
    words: list[str] = []
    named: dict[str, str] = {}
    for part in text.lower().split():
        name, colon, value = part.partition(":")
        if colon and name in ("kind", "source", "task"):
            named[name] = value
        else:
            words.append(part)
    return Query(tuple(words), **named)


def search(
    records: Sequence[Record], query: Query, task_of: TaskOf, stopped: Stopped = lambda: False
) -> list[Record]:
    """The records that `query` finds, in their order; incomplete once nobody waits for them."""
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
"""In which records can be listed."""


def ordered(
    records: Sequence[Record], order: str, task_of: TaskOf, learned: Mapping[str, str]
) -> list[Record]:
    """The records, which come newest first, in another order; equal ones stay as they were."""
    if order == "oldest":
        return list(reversed(records))
    keys: dict[str, Callable[[Record], str]] = {
        "kind": lambda record: f"{record.kind} {thumb(record)}",
        "prompt": lambda record: question_of(record).strip().lower(),
        "reply": lambda record: reply_shown(record).strip().lower(),
        "task": task_of,
        "source": lambda record: record.origin.source,
        "learned": lambda record: learned.get(record.id, ""),
    }
    return sorted(records, key=keys[order]) if order in keys else list(records)


def _matches(record: Record, query: Query, task_of: TaskOf) -> bool:
    return (
        record.kind.startswith(query.kind)
        and query.source in record.origin.source.lower()
        and all(_says(record, word) for word in query.words)
        # Last, because it takes the longest to tell.
        and (not query.task or task_of(record).startswith(query.task))
    )


def _says(record: Record, word: str) -> bool:
    return any(word in text.lower() for text in _texts(record))


def _texts(record: Record) -> Iterable[str]:
    yield from (turn.content for turn in record.prompt)
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


# -- what is shown ---------------------------------------------------------------------------------


def viewed(
    record: Record,
    task_of: TaskOf,
    learned: Mapping[str, str],
    found: Mapping[str, Sequence[str]],
    today: datetime,
) -> RecordView:
    """One line of the list of records.

    Args:
        record: What it is about.
        task_of: Tells what its prompt asks for.
        learned: The versions that learned a record, by its id.
        found: What the check found about a record, by its id.
        today: Tells how much of a date is worth showing.
    """
    return RecordView(
        id=record.id,
        when=_when(record.created, today),
        kind=f"{_(record.kind)} {thumb(record)}".strip(),
        prompt=_line(question_of(record)[:_KEPT]),
        reply=_line(reply_shown(record)),
        said=_said(record),
        task=_(task_of(record)),
        source=harmless(record.origin.source),
        learned=_("excluded") if record.excluded else learned.get(record.id, ""),
        excluded=record.excluded,
        found=tuple(map(harmless, found.get(record.id, ()))),
    )


def thumb(record: Record) -> str:
    """👍 or 👎 of a verdict, nothing of another record."""
    if not isinstance(record, Verdict):
        return ""
    return "👍" if record.label else "👎"


def reply_shown(record: Record) -> str:
    """The reply, of a pair both, the better one first; long ones cut."""
    if isinstance(record, Preference):
        return f"{record.chosen[:_KEPT]} › {record.rejected[:_KEPT]}"
    return record.completion[:_KEPT]


def _said(record: Record) -> str:
    reasons = _(", ").join(map(_, record.reasons)) if isinstance(record, Verdict) else ""
    return _line(" · ".join(filter(None, (reasons, record.comment))))


def _line(text: str) -> str:
    return harmless(one_line(text))


def _when(moment: datetime, today: datetime) -> str:
    """The time today, the day this year, else the year."""
    moment, today = moment.astimezone(), today.astimezone()
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    return (
        _("{moment:%b %d}").format(moment=moment) if moment.year == today.year else f"{moment:%Y}"
    )
