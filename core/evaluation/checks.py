"""Checks on a reply that a program can decide: what a row of an eval file asks for.

All checks of a row must hold. Each is made ready when the file is read, so that a mistake in the
file is told before the first reply is generated.

A regular expression is the one check that could take forever on a short text. It runs in the
`regex` library, which stops it after half a second; it then counts as not found, also where it
would have been found later. That library writes repetitions out, so a pattern whose counts multiply
to more than a million is refused, also where they do not stand inside each other.
"""

import json
import re
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import regex

from core.evaluation import expression
from core.evaluation.ifeval import (
    INSTRUCTIONS,
    bullets,
    is_json,
    sentences,
    without_fence,
    words,
)
from data.quality.language_detection import language_of
from store.i18n import _

Check = Callable[[str, str], bool]
"""Given the reply and the question, returns whether the reply is right."""

_REGEX_SECONDS = 0.5
_LONGEST_REGEX = 2000
_MOST_REPETITIONS = 1_000_000
_REPETITION = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_COUNTS: Mapping[str, Callable[[str], int]] = {
    "words": words,
    "sentences": sentences,
    "characters": lambda reply: len(reply.strip()),
    "lines": lambda reply: len(reply.strip().splitlines()),
    "bullets": bullets,
}
"""Each can be given as a limit: `min_words`, `max_words`; and exactly: `words`."""


def ready(name: str, wanted: Any) -> Check:
    """Return the check `name` for the value that the file gives.

    Raises:
        ValueError: there is no such check, or its value is not what it takes.
    """
    limit, _line, counted = name.partition("_")
    if name in _COUNTS:
        return _count(_COUNTS[name], _whole(wanted), "exactly")
    if limit in ("min", "max") and counted in _COUNTS:
        return _count(_COUNTS[counted], _whole(wanted), limit)
    if name not in _MAKERS:
        raise ValueError(
            _("there is no check “{name}”; there are: {names}").format(
                name=name, names=", ".join(names())
            )
        )
    return _MAKERS[name](wanted)


def names() -> tuple[str, ...]:
    """Return the names of all checks."""
    counts = (f"{limit}{name}" for name in _COUNTS for limit in ("", "min_", "max_"))
    return (*_MAKERS, *counts)


def instructions(ids: Any, arguments: Any) -> dict[str, Check]:
    """Return the checks of a row of the IFEval data set.

    Raises:
        ValueError: there is no such instruction, or it has other arguments.
    """
    lists = isinstance(ids, list) and isinstance(arguments, list)
    if not lists or len(ids) != len(arguments):
        raise ValueError(_("instruction_id_list and kwargs must be lists of the same length"))
    found: dict[str, Check] = {}
    for place, (id_, given) in enumerate(zip(ids, arguments, strict=True)):
        if id_ not in INSTRUCTIONS:
            raise ValueError(_("there is no instruction “{name}”").format(name=id_))
        rule = INSTRUCTIONS[id_]
        own = {name: value for name, value in (given or {}).items() if value is not None}
        try:
            rule("probe", **own)
        except TypeError as error:
            raise ValueError(f"{id_}: {error}") from error
        found[f"{id_} {place + 1}"] = _followed(rule, own)
    return found


def _followed(rule: Callable[..., bool], own: Mapping[str, Any]) -> Check:
    return lambda reply, prompt: bool(reply.strip()) and rule(reply, **own)


def _count(counted: Callable[[str], int], limit: int, kind: str) -> Check:
    if kind == "min":
        return lambda reply, prompt: counted(reply) >= limit
    if kind == "max":
        return lambda reply, prompt: counted(reply) <= limit
    return lambda reply, prompt: counted(reply) == limit


def _exact(wanted: Any) -> Check:
    accepted = {text.strip() for text in _texts(wanted)}
    return lambda reply, prompt: reply.strip() in accepted


def _contains(wanted: Any) -> Check:
    texts = _texts(wanted)
    return lambda reply, prompt: all(text in reply for text in texts)


def _contains_any(wanted: Any) -> Check:
    texts = _texts(wanted)
    return lambda reply, prompt: any(text in reply for text in texts)


def _lacks(wanted: Any) -> Check:
    texts = _texts(wanted)
    return lambda reply, prompt: not any(text in reply for text in texts)


def _regex(wanted: Any) -> Check:
    source = _text(wanted)
    counts = [int(count) for pair in _REPETITION.findall(source) for count in pair if count]
    if len(source) > _LONGEST_REGEX or prod(filter(None, counts)) > _MOST_REPETITIONS:
        raise ValueError(_("the regular expression is too large"))
    try:
        pattern = regex.compile(source)
    except (regex.error, RecursionError) as error:
        raise ValueError(_("not a regular expression: {why}").format(why=error)) from error

    def found(reply: str, prompt: str) -> bool:
        try:
            return pattern.search(reply, timeout=_REGEX_SECONDS) is not None
        except TimeoutError:
            return False

    return found


def _json(wanted: Any) -> Check:
    _true(wanted)
    return lambda reply, prompt: is_json(reply)


def _json_equals(wanted: Any) -> Check:
    value = _parsed(wanted)

    def equal(reply: str, prompt: str) -> bool:
        return is_json(reply) and bool(json.loads(without_fence(reply)) == value)

    return equal


def _parsed(wanted: Any) -> Any:
    """Parse a text, as a table gives it; anything else is the value itself."""
    if not isinstance(wanted, str):
        return wanted
    try:
        return json.loads(wanted)
    except ValueError as error:
        raise ValueError(_("not JSON: {text}").format(text=wanted)) from error


def _language(wanted: Any) -> Check:
    code = _text(wanted)
    return lambda reply, prompt: language_of(reply) == code


def _starts(wanted: Any) -> Check:
    texts = tuple(_texts(wanted))
    return lambda reply, prompt: reply.strip().startswith(texts)


def _ends(wanted: Any) -> Check:
    texts = tuple(_texts(wanted))
    return lambda reply, prompt: reply.strip().endswith(texts)


def _expression(wanted: Any) -> Check:
    parsed = expression.parse(_text(wanted))
    return lambda reply, prompt: expression.holds(parsed, reply, prompt)


def _flag(holds: Callable[[str], bool]) -> Callable[[Any], Check]:
    def make(wanted: Any) -> Check:
        _true(wanted)
        return lambda reply, prompt: holds(reply)

    return make


_MAKERS: Mapping[str, Callable[[Any], Check]] = {
    "exact": _exact,
    "contains": _contains,
    "contains_any": _contains_any,
    "not_contains": _lacks,
    "regex": _regex,
    "json": _json,
    "json_equals": _json_equals,
    "starts_with": _starts,
    "ends_with": _ends,
    "language": _language,
    "no_commas": _flag(INSTRUCTIONS["punctuation:no_comma"]),
    "lowercase": _flag(str.islower),
    "uppercase": _flag(str.isupper),
    "expression": _expression,
}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(_("must be a text, not {value}").format(value=repr(value)))
    return value


def _texts(value: Any) -> list[str]:
    """Return one text or several."""
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise ValueError(_("must not be empty"))
    return [_text(text if isinstance(text, str) else json.dumps(text)) for text in texts]


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(_("must be 0 or a larger number, not {value}").format(value=repr(value)))
    return value


def _true(value: Any) -> None:
    if value is not True and str(value).strip().lower() not in ("true", "yes", "1"):
        raise ValueError(_("must be true, or left out, not {value}").format(value=repr(value)))
