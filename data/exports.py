"""Write records as files that common tools read: one file per kind, with a dataset card.

Each file is written completely or not at all, as UTF-8, readable by the user only. What a format
cannot hold (ids, reasons, origins) stays in the home; the format `tutee` holds everything. A folder
that contains anything else is left alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.dataset_card import card
from data.export_tables import Choices, ExportSelection, Table, select
from data.llama_factory import dataset_info
from data.quality.task_labels import DEFAULT_RULES, Rules
from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _
from store.records import KINDS, Record, RecordKind
from store.storage import clear_leftovers, replace_file

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
"""Every file name that an export can produce."""


@dataclass(frozen=True)
class ExportedFile:
    path: Path
    kind: RecordKind
    split: str
    """`train` or `test`; empty if the records are not split."""
    rows: int


@dataclass(frozen=True)
class Exported:
    folder: Path
    files: tuple[ExportedFile, ...]
    left_out: tuple[str, ...]
    """What was chosen but could not be written: how many, and why."""
    redacted: int
    """Number of records in which something was hidden."""

    @property
    def counts(self) -> dict[RecordKind, int]:
        """Number of records written, by kind."""
        counts: dict[RecordKind, int] = {}
        for file in self.files:
            counts[file.kind] = counts.get(file.kind, 0) + file.rows
        return counts


def dated(exports: Path, moment: datetime) -> Path:
    """Return the folder for an export made at `moment`, below a home's `exports`."""
    return exports / f"{moment:%Y-%m-%d-%H%M%S}"


def export(
    records: Iterable[Record], choices: Choices, folder: Path, rules: Rules = DEFAULT_RULES
) -> Exported:
    """Write the chosen ones of all records to a folder; create it, or replace an earlier export.

    Raises:
        TuteeError: There is nothing to write, the folder contains other files, or it cannot be
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
    """Write a table's rows, readable by the user only; on TuteeError the old file is unchanged."""
    replace_file(path, table.text().encode("utf-8"))


def _prepare(folder: Path) -> set[str]:
    """Create the folder, and return the names that an earlier export left in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        clear_leftovers(folder, _NAMES)
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
            _("{folder} contains other files, such as {name}.").format(
                folder=folder, name=min(foreign)
            ),
            _("Choose another folder."),
        )
    return names


def _write_dataset_info(selection: ExportSelection, path: Path) -> tuple[str, ...]:
    """Write LLaMA-Factory's file, and say which tables it cannot read."""
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
