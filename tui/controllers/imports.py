"""What a file would bring, read before anything is taken."""

from collections.abc import Callable
from pathlib import Path

from data import starter
from data.deduplication import Known
from data.imports import Imported, find_files, read_file
from data.quality.language_detection import language_of
from data.quality.statistics import question_of
from store.errors import TuteeError
from store.i18n import _, current_language
from tui.background import Stopped
from tui.text_format import harmless
from tui.views.import_preview import Preview
from tui.views.refused_rows import told


def preview(
    path: Path,
    name: str,
    learn: bool,
    here: Known,
    say: Callable[[str], object],
    stopped: Stopped,
) -> Preview:
    """Read a file, or all of a folder.

    Args:
        path: What to read.
        name: What to name the records after; the file's name if empty.
        learn: Whether the replies of conversations are to be learned too.
        here: What is there already.
        say: Told what is being read.
        stopped: Whether nobody waits for it any more.

    Raises:
        TuteeError: there is nothing of use.
    """
    files = find_files(path)
    found: list[Imported] = []
    refused: list[str] = []
    for number, file in enumerate(files, start=1):
        if stopped():
            break
        say(
            _("Reading {name} ({number} of {count})…").format(
                name=file.name, number=number, count=len(files)
            )
        )
        try:
            found.append(read_file(file, name=name or None, learn=learn))
        except TuteeError as error:
            if len(files) == 1:
                raise
            refused.append(str(error))
    records = here.new_records(record for imported in found for record in imported.records)
    return Preview(
        formats=", ".join(sorted({i.format for i in found if i.format})) or _("nothing usable"),
        rows=sum(imported.rows for imported in found),
        records=records,
        chats=here.new_chats(chat for imported in found for chat in imported.chats),
        known=sum(len(imported.records) for imported in found) - len(records),
        refused=(*refused, *(line for i in found for line in _refused(i, len(files) > 1))),
        lost=sum(len(imported.refused) for imported in found),
    )


def starter_preview(here: Known) -> Preview:
    """What the starter set would bring, what is in the person's language first."""
    instructions = starter.instructions()
    mine = current_language()
    if mine != "en":
        instructions.sort(key=lambda record: language_of(question_of(record)) != mine)
    new = here.new_records(instructions)
    return Preview(_("Tutee's own"), len(instructions), new, (), len(instructions) - len(new))


def _refused(imported: Imported, named: bool) -> list[str]:
    place = f"{imported.path.name}: " if named else ""
    return [harmless(f"{place}{line}") for line in told(imported.refused)]
