"""Write records as files that the field's tools read: one a kind, with a card that explains them.

Each file is whole or not there at all, UTF-8, and private to the person. What a format has no place
for (ids, reasons, where a record came from) stays in the home; the format `tutee` has a place for
everything. A folder that holds anything else is left alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.dataset_card import card
from data.export_tables import FORMATS, Choices, ExportSelection, Table, line, select
from data.llama_factory import dataset_info
from data.quality.task_labels import DEFAULT_RULES, Rules
from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _
from store.records import KINDS, Record, RecordKind
from store.storage import replace_file

__all__ = [
    "FORMATS",
    "Choices",
    "ExportSelection",
    "Exported",
    "ExportedFile",
    "Table",
    "dated",
    "export",
    "line",
    "select",
    "write_table",
]

_CARD = "README.md"
_DATASET_INFO = "dataset_info.json"
_NAMES = {
    _CARD,
    _DATASET_INFO,
    *(
        f"{kind}{split}.{suffix}"
        for kind in KINDS
        for split in ("", "-train", "-test")
        for suffix in ("jsonl", "csv")
    ),
}
"""Every name that an export can have."""


@dataclass(frozen=True)
class ExportedFile:
    """A file of rows that was written."""

    path: Path
    kind: RecordKind
    split: str
    """`train` or `test`; empty where the records are not split."""
    rows: int


@dataclass(frozen=True)
class Exported:
    """What an export has written."""

    folder: Path
    files: tuple[ExportedFile, ...]
    left_out: tuple[str, ...]
    """What was chosen and could not be written: how many, and why."""
    redacted: int
    """Records in which something was hidden."""

    @property
    def counts(self) -> dict[RecordKind, int]:
        """How many records of each kind were written."""
        counts: dict[RecordKind, int] = {}
        for file in self.files:
            counts[file.kind] = counts.get(file.kind, 0) + file.rows
        return counts


def dated(exports: Path, moment: datetime) -> Path:
    """The folder of an export made at `moment`, among all of a home."""
    return exports / f"{moment:%Y-%m-%d-%H%M%S}"


def export(
    records: Iterable[Record], choices: Choices, folder: Path, rules: Rules = DEFAULT_RULES
) -> Exported:
    """Write records to a folder, in the place of an earlier export where there is one.

    Args:
        records: What there is; the choices say which of them.
        choices: What is wanted, and how.
        folder: Made if need be.
        rules: How the card tells tasks apart.

    Raises:
        TuteeError: there is nothing to write, the folder holds other things, or it cannot be
            written.
    """
    selection = select(records, choices)
    if not selection.tables:
        raise TuteeError(_("There is nothing to export."), _("; ").join(selection.left_out))
    left_out = selection.left_out
    earlier = _prepare(folder)
    for table in selection.tables:
        write_table(table, folder / table.name)
    written = {table.name for table in selection.tables}
    if choices.dataset_info:
        left_out += _write_dataset_info(selection, folder / _DATASET_INFO)
        written.add(_DATASET_INFO)
    if choices.card:
        replace_file(folder / _CARD, card(selection, choices, rules).encode("utf-8"))
        written.add(_CARD)
    for name in earlier - written:
        (folder / name).unlink(missing_ok=True)
    files = tuple(
        ExportedFile(folder / table.name, table.kind, table.split, len(table.rows))
        for table in selection.tables
    )
    return Exported(folder, files, left_out, selection.redacted)


def write_table(table: Table, path: Path) -> None:
    """Write the rows of a table to a file, private to the person.

    Raises:
        TuteeError: it cannot be written; what was there before is unchanged.
    """
    replace_file(path, table.text().encode("utf-8"))


def _prepare(folder: Path) -> set[str]:
    """Make the folder, and say what an earlier export has left in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
        foreign = names - _NAMES
        if _CARD in names and "tutee" not in (folder / _CARD).read_text("utf-8", "replace"):
            foreign.add(_CARD)
    except OSError as error:
        raise TuteeError(
            _("Cannot write to {folder}: {why}.").format(folder=folder, why=reason(error))
        ) from error
    if foreign:
        raise TuteeError(
            _("{folder} holds other files, such as {name}.").format(
                folder=folder, name=min(foreign)
            ),
            _("Give a folder of its own."),
        )
    return names


def _write_dataset_info(selection: ExportSelection, path: Path) -> tuple[str, ...]:
    """Write what LLaMA-Factory needs, and say which files it cannot read."""
    entries = dataset_info(selection.tables)
    replace_file(path, (json.dumps(entries, indent=2) + "\n").encode("utf-8"))
    named = {entry["file_name"] for entry in entries.values()}
    return tuple(
        _("{table} is not in {file}: LLaMA-Factory does not read the format {format}").format(
            table=table.name, file=path.name, format=table.format
        )
        for table in selection.tables
        if table.name not in named
    )
