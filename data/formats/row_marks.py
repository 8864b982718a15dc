"""What a row says about its own reply beside the text: how good it is, and whether to learn it.

A reply that somebody rated low, masked or needs a picture for would teach the opposite or nonsense
if its mark were ignored. A mark is understood, or the row is refused with the reason.

Limits: marks are known by the names that common tools give them, so a mark of another name is
overlooked, and a column that only shares such a name (`score` for a football result) holds its row
back until it is renamed.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from data.formats.row_error import RowError
from store.i18n import _


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LEARN = _names(
    "weight train training trainable train_on learn loss loss_mask loss_weight loss_scale "
    "loss_multiplier compute_loss with_loss output_with_loss use_for_training"
)
"""Keys that are false or 0 where a reply is not to be learned: OpenAI, Mistral and Together
(`weight`), Axolotl (`train`, `training`), ms-swift (`loss`, `loss_scale`), XTuner
(`output_with_loss`) and others."""
_IGNORE = _names(
    "mask masked is_masked ignore ignored is_ignored ignore_loss skip skipped is_skipped "
    "exclude excluded is_excluded no_loss no_train do_not_train discarded deleted is_deleted "
    "was_cancelled invalid"
)
"""Keys that are true there: torchtune (`masked`), annotation tools and others."""
_DETAILS = frozenset({"train_detail", "training_detail"})
"""Axolotl's lists of the parts of a reply, each to be learned or not."""
_STATUSES = frozenset({"discarded", "rejected", "deleted", "invalid", "ignored", "skipped"})
"""Argilla's `status`, and others' (Prodigy's `answer` is read in the same way)."""
_USERS = frozenset({"user", "human", "system"})
"""NeMo names the role whose messages are masked."""

_LABELS = frozenset({"label", "kto_tag", "thumb", "thumbs", "rating", "vote"})
"""Keys whose value must be a thumb."""
_GOOD = _names(
    "feedback liked like thumbs_up upvoted good is_good correct is_correct helpful is_helpful "
    "accepted is_accepted approved is_approved acceptable is_safe is_response_safe"
)
"""Keys that are thumbs if their value can be one; other values are text about the reply."""
_BAD = _names(
    "disliked dislike thumbs_down downvoted bad is_bad wrong is_wrong incorrect is_incorrect "
    "harmful is_harmful unsafe is_unsafe flagged is_flagged toxic is_toxic"
)
"""The same with the opposite meaning."""
_SCORES = _names(
    "score stars star_rating scores overall_score reward quality quality_score helpfulness "
    "correctness likert usefulness"
)
"""Keys with numbers on a scale that only the author of the file knows."""
_UP = frozenset({"true", "yes", "y", "up", "good", "like", "liked", "thumbs_up", "thumbsup", "👍"})
_DOWN = frozenset(
    {"false", "no", "n", "down", "bad", "dislike", "disliked", "thumbs_down", "thumbsdown", "👎"}
)

_PICTURES = _names(
    "images image image_path image_paths image_url image_urls image_file img picture pictures "
    "videos video video_path video_url audios audio audio_path audio_url speech pixel_values"
)
_BETTER = frozenset({"score", "scores", "rating", "ratings", "reward", "rewards", "votes"})
_WORSE = frozenset({"rank", "ranking"})
"""Words in the names of numbers that a pair has for each side, and those where less is better."""
_TIES = frozenset({"tie", "ties", "tied", "draw", "equal", "same", "both", "neither", "none"})
_OUTCOMES = frozenset({"preference", "preferred", "winner", "better", "choice", "annotator_choice"})
_MARGINS = frozenset({"margin", "preference_strength", "score_margin", "score_diff"})

_STARS = re.compile(r"[★☆⭐]+|[-+]?\d+(?:[.,]\d+)?(?:\s*(?:/|of)\s*\d+|\s*%)?")


def refuse_unusable(row: Mapping[str, Any]) -> None:
    """Raise RowError for a row that is not to be learned or needs more than text."""
    if any(value for key, value in row.items() if _plain(key) in _PICTURES):
        raise RowError(_("it includes images, sound or video"))
    if not to_learn(row):
        raise RowError(_("it is marked as not to be learned"))
    answer = row.get("answer") if {"_task_hash", "_input_hash"} & row.keys() else None
    for status in (row.get("status"), answer):
        if isinstance(status, str) and status.strip().lower() in {*_STATUSES, "reject", "ignore"}:
            raise RowError(_("it is marked as {status}").format(status=status.strip().lower()))


def to_learn(holder: Mapping[str, Any]) -> bool:
    """Return whether a row or message may be learned, judging by its marks.

    Raises:
        RowError: A mark is not understood.
    """
    learn = True
    for key, value in holder.items():
        name = _plain(key)
        if name in _DETAILS and value:
            raise RowError(_("{key}: only parts of its reply are to be learned").format(key=key))
        if name in _LEARN:
            learn &= _said(value, key) is not False
        elif name in _IGNORE and not (isinstance(value, str) and value.strip().lower() in _USERS):
            learn &= _said(value, key) is not True
    return learn


def judgement(holder: Mapping[str, Any]) -> bool | None:
    """Return whether a row or message says that its reply is good; None if it says nothing.

    Raises:
        RowError: It says so on a scale, in words that are no thumb, or both ways.
    """
    thumbs = set(_thumbs(holder))
    if len(thumbs) > 1:
        raise RowError(_("its labels contradict each other"))
    return next(iter(thumbs), None)


def _thumbs(holder: Mapping[str, Any]) -> Iterator[bool]:
    for key, value in holder.items():
        name = _plain(key)
        if name in _LABELS:
            yield _strict_thumb(value, key)
        elif name in _GOOD or name in _BAD:
            if (thumb := thumb_of(value)) is not None:
                yield thumb == (name in _GOOD)
            elif _is_number(value):
                raise RowError(_no_thumb(key, value))
        elif name in _SCORES and _is_number(value):
            raise RowError(_no_thumb(key, value))


def _strict_thumb(value: object, key: str) -> bool:
    if value is None:
        raise RowError(_("{key} is empty").format(key=key))
    if _plain(key) in ("label", "kto_tag"):
        if not isinstance(value, bool):
            raise RowError(_("{key} is not true or false").format(key=key))
        return value
    thumb = thumb_of(value)
    if thumb is None:
        raise RowError(_no_thumb(key, value))
    return thumb


def thumb_of(value: object) -> bool | None:
    """Return the thumb that a truth value or a word stands for; None if it is no thumb."""
    if isinstance(value, bool):
        return value
    word = (
        value.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(value, str) else ""
    )
    return True if word in _UP else False if word in _DOWN else None


def _no_thumb(key: str, value: object) -> str:
    return _("{key} {value!r:.60} is a score or a class, not a thumb").format(key=key, value=value)


def refuse_contradicted(row: Mapping[str, Any]) -> None:
    """Raise RowError for a pair that its own row calls a tie or the other way round."""
    for key, value in row.items():
        name = _plain(key)
        said = value.strip().lower() if isinstance(value, str) else value
        if name in ("tie", "is_tie") and _said(value, key):
            raise RowError(_("it is a tie"))
        if name in _OUTCOMES and isinstance(said, str) and said:
            if _TIES & {*re.split(r"\W+", said)}:
                raise RowError(_("it is a tie"))
            if said != "chosen":
                raise RowError(
                    _("{key} {value!r:.60} is not understood").format(key=key, value=value)
                )
        if (name in _MARGINS or name in _OUTCOMES) and (number := _number(value)) is not None:
            _refuse_unless_ahead(number)
    for chosen, rejected, less in _sides(row):
        _refuse_unless_ahead(rejected - chosen if less else chosen - rejected)


def _refuse_unless_ahead(margin: float) -> None:
    if margin == 0:
        raise RowError(_("it is a tie"))
    if margin < 0:
        raise RowError(_("by its own scores the rejected reply is the better one"))


def _sides(row: Mapping[str, Any]) -> Iterator[tuple[float, float, bool]]:
    """The numbers that both replies of a pair have, and whether less is better."""
    for key, value in row.items():
        words = _plain(key).split("_")
        if "chosen" not in words or not (_BETTER | _WORSE) & {*words}:
            continue
        other = next((k for k in row if _plain(k).split("_") == _swapped(words)), None)
        chosen, rejected = _number(value), _number(row.get(other or ""))
        if chosen is not None and rejected is not None:
            yield chosen, rejected, bool(_WORSE & {*words})


def _swapped(words: list[str]) -> list[str]:
    return ["rejected" if word == "chosen" else word for word in words]


def _said(value: object, key: str) -> bool | None:
    """What a mark says; None if it is empty."""
    if value is None or value == "" or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    number = _number(value)
    thumb = thumb_of(value)
    if (number is None and thumb is None) or (number is not None and number < 0):
        raise RowError(_not_understood(key, value))
    return thumb if number is None else number > 0


def _not_understood(key: str, value: object) -> str:
    return _("{key} {value!r:.60} is not understood").format(key=key, value=value)


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return bool(_STARS.fullmatch(value.strip()))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float | None:
    """A number, also as text; None for anything else, and for NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number else None


def _plain(key: object) -> str:
    return str(key).strip().lower().replace("-", "_").replace(" ", "_")
