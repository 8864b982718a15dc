"""Read a file or folder, or the starter set, and preview what an import would add."""

from collections.abc import Callable
from pathlib import Path

from data import starter
from data.deduplication import Deduplicator
from data.imports import Imported, find_files, read_file
from data.quality.language_detection import language_of
from data.quality.statistics import question_of
from store.errors import TuteeError
from store.i18n import _, current_language
from tui.background import Stopped
from tui.text_format import harmless
from tui.views.import_preview import ImportPreview
from tui.views.refused_rows import describe_notes, describe_refused


def preview_import(
    path: Path,
    name: str,
    learn: bool,
    known: Deduplicator,
    report: Callable[[str], object],
    stopped: Stopped,
) -> ImportPreview:
    """Read a file, or every file of a folder.

    Args:
        name: Source name of the records; the file name if empty.
        learn: Make instructions of the replies in conversations too.
        known: Records and conversations the home already has.
        report: Called with a line of progress.
        stopped: Whether the result is no longer needed.

    Raises:
        TuteeError: the path has nothing to import.
    """
    files = find_files(path)
    found: list[Imported] = []
    refused: list[str] = []
    for number, file in enumerate(files, start=1):
        if stopped():
            break
        reading = _("Reading {name} ({number} of {count})…")
        report(reading.format(name=file.name, number=number, count=len(files)))
        try:
            found.append(read_file(file, name=name or None, learn=learn))
        except TuteeError as error:
            if len(files) == 1:
                raise
            refused.append(str(error))
    records = known.new_records(record for imported in found for record in imported.records)
    return ImportPreview(
        formats=", ".join(sorted({i.format for i in found if i.format})) or _("nothing usable"),
        rows=sum(imported.rows for imported in found),
        records=records,
        chats=known.new_conversations(
            chat for imported in found for chat in imported.conversations
        ),
        known=sum(len(imported.records) for imported in found) - len(records),
        refused=(*refused, *(line for i in found for line in _refused(i, len(files) > 1))),
        lost=sum(imported.lost for imported in found),
        notes=tuple(
            f"{i.path.name}: {note}" if len(files) > 1 else note
            for i in found
            for note in describe_notes(i)
        ),
    )


def starter_preview(known: Deduplicator) -> ImportPreview:
    """Preview the starter set, records in the user's language first."""
    instructions = starter.instructions()
    language = current_language()
    if language != "en":
        instructions.sort(key=lambda record: language_of(question_of(record)) != language)
    new = known.new_records(instructions)
    return ImportPreview(_("starter set"), len(instructions), new, (), len(instructions) - len(new))


def _refused(imported: Imported, named: bool) -> list[str]:
    place = f"{imported.path.name}: " if named else ""
    return [harmless(f"{place}{line}") for line in describe_refused(imported.refused)]
