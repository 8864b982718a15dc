"""Filter and sort records, and make a table row of each. Pure, so searching can run in a thread."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from data.quality.statistics import question_of
from store.i18n import N_, _
from store.local_time import local
from store.records import Preference, Record, Verdict
from tui.background import Stopped
from tui.text_format import harmless, one_line, shortened

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
    shared: int = 0
    """Characters that the prompt begins with as another row's does."""


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


def lessons(records: Sequence[Record]) -> list[tuple[Record, ...]]:
    """Group the records of one piece of feedback, such as the instruction and the pair of one
    correction; a lesson stands where its first record stood."""
    acts: dict[str, list[Record]] = {}
    for record in records:
        acts.setdefault(record.act, []).append(record)
    return [tuple(lesson) for lesson in acts.values()]


def lesson_view(
    lesson: Sequence[Record],
    task_of: TaskOf,
    learned: Mapping[str, str],
    findings: Mapping[str, Sequence[str]],
    today: datetime,
) -> RecordView:
    """Build the table row of a lesson: that of its most telling record, named after the whole."""
    first = telling(lesson)
    view = record_view(first, task_of, learned, findings, today)
    kinds = {record.kind for record in lesson}
    if len(kinds) < 2:
        return view
    kind = view.kind
    if kinds == {"instruction", "preference"}:
        kind = _("✎ correction")
    elif isinstance(first, Verdict):
        kind = thumb(first)
    names = dict.fromkeys(" ".join(learned.get(record.id, "") for record in lesson).split())
    problems = dict.fromkeys(p for record in lesson for p in findings.get(record.id, ()))
    excluded = all(record.excluded for record in lesson)
    return replace(
        view,
        kind=kind,
        learned=_("excluded") if excluded else " ".join(names),
        excluded=excluded,
        problems=tuple(map(harmless, problems)),
    )


def telling(lesson: Sequence[Record]) -> Record:
    """Return the record that says most: a pair has both replies, a verdict its thumb."""
    order = {"preference": 0, "verdict": 1, "instruction": 2}
    return min(lesson, key=lambda record: order[record.kind])


_LEAST_SHARED = 12
"""Characters that two texts must share before it helps to leave them out."""


def shared_prefixes(texts: Sequence[str]) -> list[int]:
    """Return for each text how many characters it begins with as another one does, up to the start
    of a word; 0 where that is not worth leaving out. In time n log n."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    shared = [0] * len(texts)
    for one, other in pairwise(order):
        if texts[one] == texts[other]:
            continue
        common = _common(texts[one], texts[other])
        shared[one], shared[other] = max(shared[one], common), max(shared[other], common)
    return [count if count >= _LEAST_SHARED else 0 for count in shared]


def _common(one: str, other: str) -> int:
    length = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    blank = one.rfind(" ", 0, length)
    return blank + 1 if blank > 0 and one.isascii() else length


def differing(text: str, shared: int, cells: int) -> str:
    """Return `text` in at most `cells`, its part that other texts share left out if it is cut."""
    whole = shortened(text, cells)
    if not shared or whole == one_line(text):
        return whole
    head = text[: max(min(cells // 5, shared - 2), 0)].rstrip()
    return shortened(f"{head}… {text[shared:]}", cells)


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
