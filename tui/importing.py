"""What an import would bring, told before anything is kept. Pure: runs in a thread over copies."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data import starter
from data.deduplication import Known
from data.imports import Imported, find_files, read_file
from data.quality.language_detection import language_of
from data.quality.statistics import question_of
from store.errors import TuteeError
from store.i18n import _, spoken
from store.records import Chat, Record
from tui.background import Stopped
from tui.browsing import reply_shown, thumb
from tui.refusals import told
from tui.text import counted, harmless

_SAMPLES = 100
_SAMPLES_BEFORE_REFUSED = 3
"""What was refused comes after them."""
_CUT = 400
"""Characters of a text that a line can show at most."""
MATCHES = 200
"""Files and folders that are named at most."""


@dataclass(frozen=True)
class Preview:
    """What files hold, and what of it would be new."""

    formats: str
    rows: int
    records: tuple[Record, ...]
    """Those that would be new."""
    chats: tuple[Chat, ...]
    known: int
    """Records that are there already."""
    refused: tuple[str, ...] = ()
    """What cannot be used, with its place and reason, in lines."""
    lost: int = 0
    """How many rows of those files that could be read at all."""

    @property
    def samples(self) -> list[tuple[str, str, str]]:
        """The first few: what each is, what was asked, and what was replied."""
        most = _SAMPLES_BEFORE_REFUSED if self.refused else _SAMPLES
        if not self.records:
            titles = (chat.conversation.title or _("untitled") for chat in self.chats[:most])
            return [(_("conversation"), harmless(title[:_CUT]), "") for title in titles]
        return [
            (
                f"{_(record.kind)} {thumb(record)}".strip(),
                harmless(question_of(record)[:_CUT]),
                harmless(reply_shown(record)),
            )
            for record in self.records[:most]
        ]

    @property
    def useful(self) -> bool:
        return bool(self.records or self.chats)

    @property
    def kinds(self) -> str:
        """How many of each kind would be new."""
        kinds = Counter(record.kind for record in self.records)
        parts = [counted(number, kind) for kind, number in sorted(kinds.items())]
        if self.chats:
            parts.append(counted(len(self.chats), "conversation"))
        return _(", ").join(parts)


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
    mine = spoken()
    if mine != "en":
        instructions.sort(key=lambda record: language_of(question_of(record)) != mine)
    new = here.new_records(instructions)
    return Preview(_("Tutee's own"), len(instructions), new, (), len(instructions) - len(new))


def _refused(imported: Imported, named: bool) -> list[str]:
    place = f"{imported.path.name}: " if named else ""
    return [harmless(f"{place}{line}") for line in told(imported.refused)]


# -- paths -----------------------------------------------------------------------------------------


def matches(typed: str) -> list[str]:
    """The paths that go on from what was typed, folders first and with a slash at their end."""
    typed_folder, beginning = os.path.split(typed)
    folder = Path(typed_folder or ".").expanduser()
    try:
        entries = [
            (not entry.is_dir(), entry.name)
            for entry in os.scandir(folder)
            if entry.name.lower().startswith(beginning.lower())
            and (beginning.startswith(".") or not entry.name.startswith("."))
        ]
    except OSError:
        return []
    return [
        os.path.join(typed_folder, name) + ("" if is_file else os.sep)
        for is_file, name in sorted(entries)[:MATCHES]
    ]


def completed(typed: str) -> str:
    """`typed`, gone on as far as all paths that match agree."""
    if typed == "~":
        return "~/"
    common = os.path.commonprefix(matches(typed))  # noqa: RUF071 - names go on letter by letter
    return common if len(common) > len(typed) else typed
