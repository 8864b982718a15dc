"""Thumbs from other programs, with their reasons mapped to ours.

A reason without a counterpart goes into the comment, and so does every reason for a thumbs-up: ours
apply to a thumbs-down only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from data.chat_exports.fields import plain

_NOT_HELPFUL, _IGNORED, _WRONG = "not helpful", "ignored the instruction", "wrong"
_STYLE, _OTHER = "style", "other"

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
"""The reasons of Open WebUI and LibreChat."""


@dataclass(frozen=True)
class Thumb:
    label: bool
    reasons: tuple[str, ...] = ()
    comment: str = ""
    created: datetime | None = None


def thumb(label: bool, reasons: object, comment: object, created: datetime | None = None) -> Thumb:
    """Build a thumb with its reasons; several may be separated by commas."""
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
    """The program's key, even if an older version stored the displayed words."""
    return re.sub(r"[^a-z]+", "_", re.sub(r"['’]", "", reason.lower())).strip("_")


def _together(comments: Iterable[str]) -> str:
    return "; ".join(filter(None, (comment.strip() for comment in comments)))
