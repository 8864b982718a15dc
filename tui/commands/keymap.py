"""The user's own keys: which can be chosen, whether a choice is valid, and how texts name them.

Every binding has an id that stays the same whatever its key is; `[keys]` in the settings maps ids
to keys. A bad entry is refused before the app starts, because a key that silently does nothing is
worse than none. A text names a key by the id too: `{key:chat.like}`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol, runtime_checkable

from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import REPLACED_KEYS, Keys, format_key
from textual.widget import Widget

from store.errors import TuteeError
from store.i18n import _

Tables = Sequence[Sequence[Binding]]
"""The bindings of each class."""

_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "meta", "hyper"})
_SAME = {
    "ctrl+m": "Enter",
    "ctrl+i": "Tab",
    "ctrl+h": "Backspace",
    "ctrl+left_square_bracket": "Esc",
    "ctrl+[": "Esc",
}
"""Keys for which most terminals send the same as for another key."""

_GONE = frozenset(
    ("chats.all", "chats.search", "correct.clear", "records.export", "records.statistics")
)
"""Ids of bindings that version 0.1 had; keys chosen for them no longer do anything."""

DEFAULT_KEYS = {
    "app.back": "escape",
    "app.compare": "f6",
    "app.menu": "ctrl+p",
    "app.models": "ctrl+o",
    "app.quit": "ctrl+q",
    "app.save": "ctrl+s",
    "app.settings": "f9",
    "app.starter": "ctrl+t",
    "app.tune": "f5",
    "chat.beside": "ctrl+b",
    "chat.adopt": "ctrl+s",
    "chat.correct": "f4",
    "chat.dislike": "f3",
    "chat.like": "f2",
    "chat.open": "ctrl+r",
    "chat.report": "enter",
    "chat.settle": "ctrl+u",
    "chats.undo": "ctrl+z",
    "correct.save": "ctrl+s",
    "edit.save": "ctrl+s",
    "models.stop": "ctrl+x",
    "records.check": "ctrl+k",
    "records.import": "insert",
    "records.mark_all": "ctrl+a",
    "records.undo": "ctrl+z",
    "reply.thoughts": "t",
    "reply.recalled": "f",
    "reply.undo": "ctrl+z",
    "text.clear": "ctrl+u",
    "settings.all": "ctrl+a",
    "tune.rl": "5",
    "tune.sft": "1",
}
"""Default keys of the bindings that texts name. A copy, because the bindings themselves would
import every screen; a test holds it equal to them."""

_PLACEHOLDER = re.compile(r"\{key:([a-z0-9_.]+)\}")


@dataclass(frozen=True)
class Bound:
    """A binding for which keys can be chosen."""

    id: str
    keys: tuple[str, ...]
    """The default ones."""
    description: str


_NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "delete": "Del",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "insert": "Ins",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def key_name(key: str) -> str:
    """Return the usual name of a key: `Ctrl+N`, `F2`, `/`."""
    *modifiers, last = key.split("+") if key != "+" else [key]
    if len(last) == 1 and last.isupper():
        modifiers.append("shift")
    name = _NAMES.get(last) or format_key(last)
    return "+".join([*map(str.capitalize, modifiers), name[:1].upper() + name[1:]])


class Keymap:
    """The keys that the settings choose, checked against every binding there is.

    Args:
        chosen: Keys by binding id.
        tables: Returns the bindings of each class. It imports every screen, so it is called only
            where keys were chosen.

    Raises:
        TuteeError: an entry names an unknown binding, an unknown key, or a key already in use on
            the same screen.
    """

    def __init__(self, chosen: Mapping[str, str], tables: Callable[[], Tables] = tuple) -> None:
        chosen = {name: keys for name, keys in chosen.items() if name not in _GONE}
        self.chosen = chosen
        self._tables = tables() if chosen else ()
        known = bound(self._tables)
        for name, keys in chosen.items():
            _check_entry(name, keys, known)
        self._taken = {name: keys.replace(" ", "") for name, keys in chosen.items()}
        for bindings in self._tables:
            _check_clashes(bindings, self._taken)

    def overrides(self) -> dict[str, str]:
        """Return the argument for `App.set_keymap`."""
        return self._taken | _neighbours(self._taken, self._tables)

    def in_text(self, text: str) -> str:
        """`text` with every `{key:ID}` replaced by the name of that binding's key."""
        return _PLACEHOLDER.sub(self._key_named, text)

    def _key_named(self, placeholder: re.Match[str]) -> str:
        id_ = placeholder[1]
        if id_ not in DEFAULT_KEYS:
            return placeholder[0]  # braces that a user or a model wrote
        # A binding that was left without a key is named by its default one.
        return key_name((_split(self.chosen.get(id_, "")) or (DEFAULT_KEYS[id_],))[0])


@runtime_checkable
class HasKeymap(Protocol):
    """The app, as far as its keys are concerned."""

    @property
    def keymap(self) -> Keymap:
        """The keys in use."""


def keyed(place: Widget, text: str) -> str:
    """`text` with every `{key:ID}` replaced by the name of the user's key."""
    assert isinstance(place.app, HasKeymap)
    return place.app.keymap.in_text(text)


def listed(node: type[DOMNode]) -> list[Binding]:
    """List the bindings that a class itself declares."""
    found = node.__dict__.get("BINDINGS", ())
    return [binding for binding in found if isinstance(binding, Binding)]


def bound(tables: Tables) -> dict[str, Bound]:
    """Return all bindings by id, sorted."""
    found: dict[str, Bound] = {}
    for bindings in tables:
        for binding in bindings:
            if binding.id:
                before = found.get(binding.id)
                keys = dict.fromkeys((*(before.keys if before else ()), *_split(binding.key)))
                description = before.description if before else binding.description
                if description in ("", "Back"):
                    description = binding.description  # another screen may describe it better
                found[binding.id] = Bound(binding.id, tuple(keys), description)
    return dict(sorted(found.items()))


def _check_entry(name: str, keys: str, known: Mapping[str, Bound]) -> None:
    place = _("The settings have a problem at `keys.{name}`").format(name=name)
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = _("`tutee keys` lists them all.")
        if near:
            hint = _("Did you mean `{name}`? `tutee keys` lists them all.").format(name=near[0])
        raise TuteeError(_("{place}: there is no binding with that id.").format(place=place), hint)
    for key in _split(keys):
        if not _is_key(key):
            raise TuteeError(
                _("{place}: there is no key `{key}`.").format(place=place, key=key),
                _("Write keys like `f2`, `ctrl+n`, `alt+up`, `space`; several with commas."),
            )
        if key in _SAME:
            raise TuteeError(
                _("{place}: terminals send `{key}` as {same}.").format(
                    place=place, key=key, same=_SAME[key]
                )
            )


def _is_key(name: str) -> bool:
    *modifiers, key = name.split("+") if name != "+" else [name]
    named = {str(known.value) for known in Keys}
    good = len(key) == 1 or key in named or _is_character(key)
    return _MODIFIERS.issuperset(modifiers) and good


def _is_character(name: str) -> bool:
    """Whether `name` is the Unicode name of a character, as in `question_mark`."""
    with suppress(KeyError):
        return bool(unicodedata.lookup(name.replace("_", " ")))
    return name in REPLACED_KEYS


def _check_clashes(bindings: Iterable[Binding], taken: Mapping[str, str]) -> None:
    """Raise TuteeError where a chosen key now means two things in one class."""
    table = [binding for binding in bindings if binding.id]
    for one in table:
        for other in table:
            if one.id == other.id or not one.id or one.id not in taken:
                continue
            before = set(_split(one.key)) & set(_split(other.key))
            mine, theirs = _split(taken[one.id]), _split(taken.get(other.id or "", other.key))
            for key in set(mine) & set(theirs) - before:
                raise TuteeError(
                    _(
                        "The settings have a problem at `keys.{id}`: `{key}` is the key of "
                        "`{other}` there."
                    ).format(id=one.id, key=key, other=other.id),
                    _("Give `{other}` another key too.").format(other=other.id),
                )


def _neighbours(taken: Mapping[str, str], tables: Tables) -> dict[str, str]:
    """Keep the keys shared with a changed binding: Textual removes one from all of a class."""
    kept = {}
    for bindings in tables:
        table = [binding for binding in bindings if binding.id]
        given_up = {key for b in table if b.id in taken for key in _split(b.key)}
        for binding in table:
            if binding.id not in taken and given_up & set(_split(binding.key)):
                kept[binding.id or ""] = binding.key
    return kept


def _split(keys: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in keys.split(",") if key.strip())
