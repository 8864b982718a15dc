"""Records as tables of rows: the chosen records, each kind and split in its own table and format.

Nothing is dropped silently: a record that a format cannot hold is counted with the reason.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from data import formats
from data.formats import LLAMA_FACTORY, OWN
from data.quality.secrets import redacted
from data.training_split import holdout
from store.errors import TuteeError
from store.i18n import _
from store.records import KINDS, Preference, Record, RecordKind

FORMATS = ("messages", "alpaca", "sharegpt", "trl", "kto", "csv", "tutee")


@dataclass(frozen=True)
class Choices:
    kinds: tuple[RecordKind, ...] = KINDS
    format: str | None = None
    """One of `FORMATS`; by default the one that tools expect for each kind."""
    formats: Mapping[str, str] = field(default_factory=dict)
    """Formats of single kinds, overriding `format`."""
    split: bool = False
    """Write the fifth of the conversations that is held out of training to separate files."""
    since: datetime | None = None
    """Only records made at this time (with its zone) or later."""
    redact: bool = False
    """Replace secrets and e-mail addresses; see `data.quality.secrets`."""
    card: bool = True
    """Write a dataset card too."""
    dataset_info: bool = False
    """Write LLaMA-Factory's `dataset_info.json` too, and default to the formats it reads."""
    licence: str = ""
    """The license under which the user shares the records; for the card."""


@dataclass(frozen=True)
class Table:
    """The rows of one file, at least one, all with the same keys."""

    kind: RecordKind
    format: str
    split: str
    """`train` or `test`; empty if the records are not split."""
    records: tuple[Record, ...]
    rows: tuple[formats.Row, ...]

    @property
    def name(self) -> str:
        """The file name."""
        suffix = "csv" if self.format == "csv" else "jsonl"
        return f"{self.kind}-{self.split}.{suffix}" if self.split else f"{self.kind}.{suffix}"

    def text(self) -> str:
        """Return the content of the file."""
        return _csv(self.rows) if self.format == "csv" else "".join(map(line, self.rows))


@dataclass(frozen=True)
class ExportSelection:
    tables: tuple[Table, ...]
    left_out: tuple[str, ...]
    """What was chosen but cannot be written: how many, and why."""
    redacted: int
    """Number of records in which something was hidden."""


def line(row: dict[str, Any]) -> str:
    """Return a row as one line of JSONL, newline included."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def select(records: Iterable[Record], choices: Choices) -> ExportSelection:
    """Build the tables for the chosen records, in the order of the kinds; raise TuteeError for an
    unknown kind or format."""
    wanted = {choices.format, *choices.formats.values()}
    unknown = [*({*choices.kinds} - {*KINDS}), *(wanted - {None, *FORMATS})]
    if unknown:
        raise TuteeError(_("There is no kind or format “{unknown}”.").format(unknown=unknown[0]))
    chosen = [
        record
        for record in records
        if record.kind in choices.kinds and not (choices.since and record.created < choices.since)
    ]
    shown = [redacted(record) for record in chosen] if choices.redact else chosen
    missed: Counter[str] = Counter()
    parts: dict[str, Sequence[Record]] = {"": shown}
    if choices.split:
        split = holdout(shown)
        parts = {"train": split.train, "test": split.held_out}
        sides = {record.id for part in parts.values() for record in part}
        for record in shown:
            if record.id not in sides:
                missed[_on_both_sides(record.kind)] += 1
    tables = [
        table
        for kind in KINDS
        if kind in choices.kinds
        for table in _tables(kind, parts, choices, missed)
    ]
    return ExportSelection(
        tables=tuple(tables),
        left_out=tuple(
            _("{count} × {reason}").format(count=count, reason=reason)
            for reason, count in missed.items()
        ),
        redacted=sum(one is not other for one, other in zip(chosen, shown, strict=True)),
    )


def _tables(
    kind: RecordKind, parts: Mapping[str, Sequence[Record]], choices: Choices, missed: Counter[str]
) -> Iterator[Table]:
    """The tables of one kind, one for each part; what cannot be written is counted in `missed`."""
    name = choices.formats.get(kind) or choices.format or _default_format(kind, choices)
    for split, part in parts.items():
        pairs = []
        for record in part:
            if record.kind != kind:
                continue
            if record.excluded and name != OWN.name:
                missed[
                    _("{kind}: excluded from training (the format {format} keeps them)").format(
                        kind=_(kind), format=OWN.name
                    )
                ] += 1
            elif isinstance(record, Preference) and record.chosen.strip() == (
                record.rejected.strip()
            ):
                missed[
                    _("{kind}: both replies are the same once redacted").format(kind=_(kind))
                ] += 1
            elif (row := formats.row(record, name)) is None:
                missed[_no_place(kind, name)] += 1
            else:
                pairs.append((record, row))
        if pairs:
            written, rows = zip(*pairs, strict=True)
            yield Table(kind, name, split, written, rows)


def _default_format(kind: str, choices: Choices) -> str:
    able = formats.writers(kind)
    if choices.dataset_info:
        return next(name for name in LLAMA_FACTORY if name in able)
    return able[0]


def _on_both_sides(kind: str) -> str:
    return _("{kind}: in a conversation of one split, with a prompt of the other").format(
        kind=_(kind)
    )


def _no_place(kind: str, name: str) -> str:
    able = formats.writers(kind)
    if name not in able:
        return _("{kind}: the format {format} is not for this kind (choose from {able})").format(
            kind=_(kind), format=name, able=_(", ").join(able)
        )
    return _("{kind}: the format {format} cannot hold such a prompt").format(
        kind=_(kind), format=name
    )


def _csv(rows: Sequence[formats.Row]) -> str:
    """CSV with a header. Texts are written unchanged: a spreadsheet may take one that begins with
    `=` for a formula, but data altered to prevent that would be wrong everywhere else.
    """
    text = io.StringIO(newline="")
    # RFC 4180 line endings: only with them does csv quote carriage returns in a text.
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
