"""Thumbs of other programs, and their reasons in the words of ours.

A reason that has no counterpart here is kept in the comment, and so is every reason for a thumb
up: ours are asked for with a thumb down only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from data.chat_exports.fields import plain
from store.records import REASONS

_NOT_HELPFUL, _IGNORED, _WRONG, _, _STYLE, _OTHER = REASONS

_OURS = {
    "dont_like_the_style": _STYLE,
    "too_verbose": _STYLE,
    "bad_style": _STYLE,
    "not_factually_correct": _WRONG,
    "inaccurate_information": _WRONG,
    "inaccurate": _WRONG,
    "didnt_fully_follow_instructions": _IGNORED,
    "not_matched": _IGNORED,
    "not_helpful": _NOT_HELPFUL,
    "being_lazy": _NOT_HELPFUL,
    "refused_when_it_shouldnt_have": _NOT_HELPFUL,
    "unjustified_refusal": _NOT_HELPFUL,
    "other": _OTHER,
}
"""Open WebUI's reasons and LibreChat's."""


@dataclass(frozen=True)
class Thumb:
    """What a person said about a reply."""

    label: bool
    reasons: tuple[str, ...] = ()
    comment: str = ""
    created: datetime | None = None


def thumb(label: bool, reasons: object, comment: object, created: datetime | None = None) -> Thumb:
    """A thumb with its reasons, several of which may be written with commas between."""
    ours: list[str] = []
    others: list[str] = []
    for reason in filter(None, (part.strip() for part in plain(reasons).split(","))):
        known = _OURS.get(_spelled(reason))
        if known and not label:
            ours.append(known)
        elif known != _OTHER:
            others.append(reason.replace("_", " "))
    return Thumb(label, tuple(dict.fromkeys(ours)), _together((*others, plain(comment))), created)


def _spelled(reason: str) -> str:
    """A key of the program, also where an older version kept the words that it showed."""
    return re.sub(r"[^a-z]+", "_", re.sub(r"['’]", "", reason.lower())).strip("_")


def _together(comments: Iterable[str]) -> str:
    return "; ".join(filter(None, (comment.strip() for comment in comments)))
