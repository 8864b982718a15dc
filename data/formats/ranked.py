"""Several replies to one prompt, each with its score or rank: UltraFeedback and Nectar.

The best reply is preferred to each of the others that it surely beats, as among Open Assistant's
ranked replies (see `data.chat_exports.openassistant`). UltraFeedback scores each reply twice, so a
pair on which the two scores disagree is left out.
"""

from collections.abc import Mapping
from typing import Any

from data.formats.common import (
    Format,
    ParsedRow,
    Row,
    RowError,
    checked_pair,
    checked_prompt,
    checked_text,
    parse_messages,
    provenance,
)
from store.i18n import _
from store.records import Origin, Preference

_LISTS = {"completions": "response", "answers": "answer"}
"""The key of the replies, and the key of the text of each."""


def _matches(row: Row) -> bool:
    return bool({"instruction", "prompt"} & row.keys()) and any(
        _is_ranked(row.get(key), text) for key, text in _LISTS.items()
    )


def _is_ranked(value: object, text: str) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and text in one and _figures(one) for one in value)
    )


def _read(row: Row, origin: Origin) -> ParsedRow:
    key = next(key for key, text in _LISTS.items() if _is_ranked(row.get(key), text))
    asked = "instruction" if "instruction" in row else "prompt"
    prompt = checked_prompt(parse_messages(checked_text(row[asked], asked), asked))
    best, *others = sorted(row[key], key=lambda one: _figures(one)[0], reverse=True)
    about = provenance({**row, "model": best.get("model")}, origin, prompt)
    records, refused = [], []
    for number, other in enumerate(others, start=1):
        try:
            _refuse_unless_ahead(best, other)
            chosen, rejected = checked_pair(
                *(checked_text(one[_LISTS[key]], _LISTS[key]) for one in (best, other))
            )
        except RowError as error:
            refused.append(_("pair {number}: {reason}").format(number=number, reason=error))
        else:
            pair = Preference(**about, prompt=prompt, chosen=chosen, rejected=rejected)
            records.append(pair)
    if not records:
        raise RowError(refused[0] if refused else _("there is only one reply"))
    return ParsedRow(tuple(records), refused=tuple(refused))


def _refuse_unless_ahead(best: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    margins = [a - b for a, b in zip(_figures(best), _figures(other), strict=False)]
    if any(margin < 0 for margin in margins):
        raise RowError(_("by its own scores the rejected reply is the better one"))
    if not all(margins):
        raise RowError(_("it is a tie"))


def _figures(reply: Mapping[str, Any]) -> list[float]:
    """How good a reply is, by each of its figures: more is better."""
    keys = ("overall_score", "fine-grained_score", "score")
    scores: list[float] = [reply[key] for key in keys if _is_number(reply.get(key))]
    return scores or ([-reply["rank"]] if _is_number(reply.get("rank")) else [])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


RANKED = Format("ranked", _matches, _read)
