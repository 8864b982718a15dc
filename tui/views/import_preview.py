"""What an import would bring, told before anything is kept. Pure: runs in a thread over copies."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from data.quality.statistics import question_of
from store.i18n import _
from store.records import ImportedConversation, Record
from tui.text_format import counted, harmless
from tui.views.record_list import reply_shown, thumb

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
    chats: tuple[ImportedConversation, ...]
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
