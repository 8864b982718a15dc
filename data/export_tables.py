"""Records as tables of rows: what a person chose, each kind and split apart, in its format.

Nothing is left out in silence: a record that a format has no place for is counted with the reason.
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
    """What a person wants of their records, and how."""

    kinds: tuple[RecordKind, ...] = KINDS
    format: str | None = None
    """One of `FORMATS`; if not given, the one that tools expect for each kind."""
    formats: Mapping[str, str] = field(default_factory=dict)
    """The formats of single kinds, in place of `format`."""
    split: bool = False
    """Put the fifth of the conversations that is held out of training into files of its own."""
    since: datetime | None = None
    """Only records made at this moment (with its time zone) or later."""
    redact: bool = False
    """Replace secrets and e-mail addresses; see `data.quality.secrets`."""
    card: bool = True
    """Write a dataset card beside the files."""
    dataset_info: bool = False
    """Write LLaMA-Factory's `dataset_info.json` beside, and by default the formats it reads."""
    licence: str = ""
    """Under which the person gives the records to others; for the card."""


@dataclass(frozen=True)
class Table:
    """The rows of one file, at least one, all with the same keys."""

    kind: RecordKind
    format: str
    split: str
    """`train` or `test`; empty where the records are not split."""
    records: tuple[Record, ...]
    rows: tuple[formats.Row, ...]

    @property
    def name(self) -> str:
        """The name of the file."""
        suffix = "csv" if self.format == "csv" else "jsonl"
        return f"{self.kind}-{self.split}.{suffix}" if self.split else f"{self.kind}.{suffix}"

    def text(self) -> str:
        """What stands in the file."""
        return _csv(self.rows) if self.format == "csv" else "".join(map(line, self.rows))


@dataclass(frozen=True)
class ExportSelection:
    """What is to be written."""

    tables: tuple[Table, ...]
    left_out: tuple[str, ...]
    """What was chosen and cannot be written: how many, and why."""
    redacted: int
    """Records in which something was hidden."""


def line(row: dict[str, Any]) -> str:
    """A row as one line of JSONL, with its line feed."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def select(records: Iterable[Record], choices: Choices) -> ExportSelection:
    """The tables that records make under the choices, in the order of the kinds.

    Raises:
        TuteeError: there is no such kind or format.
    """
    asked = {choices.format, *choices.formats.values()}
    unknown = [*({*choices.kinds} - {*KINDS}), *(asked - {None, *FORMATS})]
    if unknown:
        raise TuteeError(_("There is no kind or format “{unknown}”.").format(unknown=unknown[0]))
    chosen = [
        record
        for record in records
        if record.kind in choices.kinds and not (choices.since and record.created < choices.since)
    ]
    shown = [redacted(record) for record in chosen] if choices.redact else chosen
    missed: Counter[str] = Counter()
    tables = [
        table
        for kind in KINDS
        if kind in choices.kinds
        for table in _tables(
            kind, [record for record in shown if record.kind == kind], choices, missed
        )
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
    kind: RecordKind, records: list[Record], choices: Choices, missed: Counter[str]
) -> Iterator[Table]:
    """The tables of one kind; what cannot be written is counted in `missed`."""
    name = choices.formats.get(kind) or choices.format or _default_format(kind, choices)
    parts = {"": records}
    if choices.split:
        train, test = holdout(records)  # type: ignore[type-var]
        parts = {"train": train, "test": test}
    for split, part in parts.items():
        pairs = []
        for record in part:
            if record.excluded and name != OWN.name:
                missed[
                    _("{kind}: excluded from training (the format {format} keeps them)").format(
                        kind=_(kind), format=OWN.name
                    )
                ] += 1
            elif isinstance(record, Preference) and record.chosen == record.rejected:
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


def _no_place(kind: str, name: str) -> str:
    able = formats.writers(kind)
    if name not in able:
        return _("{kind}: the format {format} is not for this kind (choose from {able})").format(
            kind=_(kind), format=name, able=_(", ").join(able)
        )
    return _("{kind}: the format {format} has no place for such a prompt").format(
        kind=_(kind), format=name
    )


def _csv(rows: Sequence[formats.Row]) -> str:
    """CSV with a header. Texts are written as they are: a spreadsheet may take one that begins with
    `=` for a formula, but data that was changed to please it would be wrong everywhere else.
    """
    text = io.StringIO(newline="")
    # The line ends of the standard: only with them are carriage returns in a text quoted.
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
