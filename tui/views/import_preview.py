"""A preview of an import, and completion of its path. Pure: runs in a thread over copies."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from data.quality.statistics import question_of
from store.i18n import _
from store.records import ImportedConversation, Record
from tui.text_format import counted, harmless
from tui.views.record_list import reply_summary, thumb

_SAMPLES = 100
_SAMPLES_BEFORE_REFUSED = 3
"""Samples shown when refused rows follow below."""
_LONGEST_LINE = 400
"""Most characters of a text that fit on a line."""
MATCHES = 200
"""Most paths to list."""


@dataclass(frozen=True)
class ImportPreview:
    """What the files hold, and how much of it is new."""

    formats: str
    rows: int
    records: tuple[Record, ...]
    """New records only."""
    chats: tuple[ImportedConversation, ...]
    known: int
    """Number of records the home already has."""
    refused: tuple[str, ...] = ()
    """Refused rows and files, one line each, with place and reason."""
    lost: int = 0
    """Number of refused rows in the files that could be read."""
    notes: tuple[str, ...] = ()
    """What to know about how the files were read."""

    @property
    def samples(self) -> list[tuple[str, str, str]]:
        """The first few records as (kind, prompt, reply)."""
        most = _SAMPLES_BEFORE_REFUSED if self.refused else _SAMPLES
        if not self.records:
            titles = (chat.conversation.title or _("untitled") for chat in self.chats[:most])
            return [(_("conversation"), harmless(title[:_LONGEST_LINE]), "") for title in titles]
        return [
            (
                f"{_(record.kind)} {thumb(record)}".strip(),
                harmless(question_of(record)[:_LONGEST_LINE]),
                harmless(reply_summary(record)),
            )
            for record in self.records[:most]
        ]

    @property
    def useful(self) -> bool:
        return bool(self.records or self.chats)

    @property
    def kinds(self) -> str:
        """Counts of what is new, by kind."""
        kinds = Counter(record.kind for record in self.records)
        parts = [counted(number, kind) for kind, number in sorted(kinds.items())]
        if self.chats:
            parts.append(counted(len(self.chats), "conversation"))
        return _(", ").join(parts)


# -- paths -----------------------------------------------------------------------------------------


def path_matches(typed: str) -> list[str]:
    """List the paths that start with `typed`: folders first, with a trailing slash."""
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


def complete_path(typed: str) -> str:
    """Extend `typed` by the common prefix of all matching paths."""
    if typed == "~":
        return "~/"
    common = os.path.commonprefix(path_matches(typed))  # noqa: RUF071 - not path by path
    return common if len(common) > len(typed) else typed
