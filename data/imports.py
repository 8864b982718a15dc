"""Read a file of records made elsewhere. One bad row never loses the others.

The format is detected row by row from the keys, so a file may mix formats. Nothing is stored here:
the caller shows what was refused, and `Repository.add_imported` skips what is known already.

Conversations are kept to be read and rated; nothing in them is learned unless the user asks for it
(`learn`). Then the replies on the path count, except those that were rated bad or cut off; siblings
abandoned for a better one do not count either.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from data import row_files
from data.chat_exports import gather, join
from data.format_detection import read
from data.formats.common import ParsedRow, RowError
from data.row_files import find_files
from store.errors import TuteeError
from store.feedback import dedup_key
from store.i18n import _
from store.records import (
    ChatMessage,
    ImportedConversation,
    Instruction,
    Message,
    Origin,
    Preference,
    Record,
    Verdict,
)

__all__ = ["Imported", "Refused", "find_files", "read_file"]

_LONGEST = 1_000_000
"""Maximum characters of one record: a thousand pages, more than any model here sees at once."""


_THUMBS = ({"0", "1"}, {"-1", "1"})
"""The numbers that are written for 👎 and 👍."""


_MOST_ROWS = 1_000_000
"""Maximum rows read from one file: their records fill a home, or they are no records."""
_MOST_USELESS = 100_000
"""Maximum rows read as long as none could be used."""
_MOST_REASONS = 500
"""Maximum reasons told apart; others are only counted."""
_MOST_LINES = 1_000
"""Maximum lines named with a reason."""


@dataclass(frozen=True)
class Refused:
    """Rows that were not taken, or only in part, for one reason."""

    lines: tuple[int, ...]
    """Where the first of them begin in the file, counted from 1, in order."""
    reason: str
    partly: bool = False
    """Whether the rest of each row was taken."""
    rows: int = 1


class _RefusedRows:
    """Refused rows by reason, in a bounded amount of memory."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, bool], list[int]] = {}
        self._rows: Counter[tuple[str, bool]] = Counter()

    def add(self, line: int, reason: str, partly: bool = False) -> None:
        key = (reason, partly)
        if key not in self._lines and len(self._lines) >= _MOST_REASONS:
            key = (_("other reasons"), partly)
        lines = self._lines.setdefault(key, [])
        if len(lines) < _MOST_LINES:
            lines.append(line)
        self._rows[key] += 1

    def by_reason(self) -> tuple[Refused, ...]:
        """Return them in the order of their reasons' first rows."""
        return tuple(
            Refused(tuple(lines), reason, partly, self._rows[reason, partly])
            for (reason, partly), lines in self._lines.items()
        )


@dataclass(frozen=True)
class Imported:
    path: Path
    name: str
    """What the records are named after: their source is `import:NAME`."""
    format: str
    """The formats of the usable rows."""
    rows: int
    records: tuple[Record, ...]
    conversations: tuple[ImportedConversation, ...]
    refused: tuple[Refused, ...]
    guessed: tuple[str, ...] = ()
    """The encodings in which it was read, if it is not UTF-8 and none was named."""
    unread: bool = False
    """Whether it has more rows than were read."""
    thoughts: int = 0
    """Number of rows from which a model's thoughts were left out."""

    @property
    def lost(self) -> int:
        """Number of refused rows."""
        return sum(refused.rows for refused in self.refused)

    @property
    def useful(self) -> bool:
        """Whether there is anything to keep."""
        return bool(self.records or self.conversations)


def read_file(
    path: Path,
    *,
    name: str | None = None,
    format: str | None = None,  # noqa: A002
    learn: bool = False,
    encoding: str | None = None,
) -> Imported:
    """Read a file: JSONL, one JSON array or object, CSV or TSV, gzip or zip.

    Args:
        name: What to name the records after; by default the file's name.
        format: One of `data.format_detection.NAMES` for all rows; by default detected row by row.
        learn: Make an instruction of every reply on a conversation's path.
        encoding: The name of its encoding; by default UTF-8, or what it clearly is instead.

    Raises:
        TuteeError: It cannot be read, is empty, or is broken as a whole.
    """
    name = (name or path.name).encode("utf-8", "replace").decode("utf-8")
    reader = _Reader(Origin(source=f"import:{name}"))
    guessed: dict[str, None] = {}
    unread = False
    for part in row_files.parts(path, encoding):
        place = f"{part.name}: " if part.name else ""
        guessed |= {part.guessed: None} if part.guessed else {}
        for line, row in part.rows if format else gather(part.rows):
            if reader.rows >= (_MOST_ROWS if reader.useful else _MOST_USELESS):
                unread = True
                break
            reader.take(line, row, format or ("csv" if part.table else None), place)
    if not reader.rows:
        raise TuteeError(_("There are no rows in {path}.").format(path=path), row_files.expected())
    reader.retract_scores()
    conversations = tuple(join(reader.conversations))
    if learn:
        reader.learn(conversations)
    return Imported(
        path=path,
        name=name,
        format=", ".join(sorted(reader.formats)),
        rows=reader.rows,
        records=tuple(reader.records),
        conversations=conversations,
        refused=reader.refused.by_reason(),
        guessed=tuple(guessed),
        unread=unread,
        thoughts=reader.thoughts,
    )


class _Reader:
    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._lines: dict[object, int] = {}
        """The line where each dedup key first appeared."""
        self._incomplete: set[str] = set()
        self.rows = 0
        self.formats: set[str] = set()
        self.records: list[Record] = []
        self.conversations: list[ImportedConversation] = []
        self.refused = _RefusedRows()
        self.thoughts = 0
        self._numbers: defaultdict[str, set[str]] = defaultdict(set)
        """The values of each key whose labels are numbers."""
        self._numbered: dict[str, tuple[str, int, str]] = {}
        """The key of each verdict with such a label, by record id, with its line and place."""

    @property
    def useful(self) -> bool:
        return bool(self.records or self.conversations)

    def take(self, line: int, row: object, format_name: str | None, place: str) -> None:
        self.rows += 1
        try:
            if isinstance(row, RowError):
                raise row
            format_used, parsed = read(row, self._origin, format_name)
        except RowError as error:
            if error.number:
                self._note_number(error.number)
            self.refused.add(line, f"{place}{error}")
            return
        before = len(self.records)
        reasons = [*parsed.refused, *self._keep(parsed, line)]
        self.thoughts += parsed.thoughts
        if parsed.number:
            self._note_number(parsed.number)
            for record in self.records[before:]:
                self._numbered[record.id] = (parsed.number[0], line, place)
        partly = len(self.records) > before or bool(parsed.conversations)
        for reason in reasons:
            self.refused.add(line, f"{place}{reason}", partly)
        self.formats.add(format_used)
        self.conversations += parsed.conversations
        self._incomplete |= parsed.incomplete

    def _keep(self, parsed: ParsedRow, line: int) -> Iterator[str]:
        """Keep records that are new in this file and not too long; yield why others are skipped."""
        for number, record in enumerate(parsed.records, start=1):
            key = dedup_key(record)
            if key in self._lines:
                reason = _("duplicate of line {line}").format(line=self._lines[key])
            elif (length := _length(record)) > _LONGEST:
                reason = _("too long ({length:,} characters)").format(length=length)
            else:
                self._lines[key] = line
                self.records.append(record)
                continue
            if len(parsed.records) > 1:
                reason = _("{kind} {number}: {reason}").format(
                    kind=_(record.kind), number=number, reason=reason
                )
            yield reason

    def _note_number(self, number: tuple[str, str]) -> None:
        key, value = number
        if len(self._numbers[key]) <= len(_THUMBS):  # more values change nothing
            self._numbers[key].add(value)

    def retract_scores(self) -> None:
        """Refuse verdicts whose label is a number, if the others of the file show that it is a
        score or a class: 1 may be a thumb, one star of five, or the second of four classes."""
        wrong = {key for key, values in self._numbers.items() if not _are_thumbs(key, values)}
        retracted = {
            record_id: place for record_id, place in self._numbered.items() if place[0] in wrong
        }
        if not retracted:
            return
        self.records = [record for record in self.records if record.id not in retracted]
        for key, line, place in retracted.values():
            reason = _("{key} is a score or a class in this file, not a thumb").format(key=key)
            self.refused.add(line, f"{place}{reason}")

    def learn(self, conversations: Iterable[ImportedConversation]) -> None:
        skipped = self._incomplete | {
            record.message_id or ""
            for record in self.records
            if isinstance(record, Verdict) and not record.label
        }
        for imported in conversations:
            for record in _replies(imported, self._origin):
                if record.message_id not in skipped and dedup_key(record) not in self._lines:
                    self._lines[dedup_key(record)] = 0
                    self.records.append(record)


def _are_thumbs(key: str, values: Set[str]) -> bool:
    if key.strip().lower() == "rating":  # a lone 1 is a star
        return values in _THUMBS
    return any(values <= thumbs for thumbs in _THUMBS)


def _replies(imported: ImportedConversation, origin: Origin) -> Iterator[Instruction]:
    """The complete replies on a conversation's path, each with everything before it."""
    path = _path(imported)
    for index, message in enumerate(path):
        about = message.origin or origin
        length = sum(len(before.content) for before in path[: index + 1])
        whole = message.content.strip() and not about.stopped and length <= _LONGEST
        if message.role == "assistant" and whole and index and path[index - 1].role == "user":
            yield Instruction(
                conversation_id=imported.conversation.id,
                message_id=message.id,
                created=message.created,
                origin=about,
                prompt=tuple(ChatMessage(role=m.role, content=m.content) for m in path[:index]),
                completion=message.content,
            )


def _path(imported: ImportedConversation) -> list[Message]:
    by_id = {message.id: message for message in imported.messages}
    path: list[Message] = []
    at = imported.messages[-1] if imported.messages else None
    while at is not None:
        path.append(at)
        at = by_id.get(at.parent_id or "")
    return path[::-1]


def _length(record: Record) -> int:
    prompt = sum(len(message.content) for message in record.prompt)
    if isinstance(record, Preference):
        return prompt + len(record.chosen) + len(record.rejected)
    return prompt + len(record.completion)
