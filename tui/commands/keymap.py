"""Keys of the person's own choice: which can be chosen, and whether the settings' choice can be.

Every binding has an id that stays the same whatever its key is; `[keys]` in the settings names keys
by it. A bad entry is refused before the app starts, because a key that silently does nothing is
worse than none.
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
"""What most terminals send the same for as for another key."""

_NAMED = re.compile(r"(?<![A-Za-z0-9+])(?:F\d+|Ctrl\+[A-Z])(?![A-Za-z0-9])")
"""A key in a sentence; others, as Enter, are hardly chosen and have many meanings."""


@dataclass(frozen=True)
class Bound:
    """What a key can be chosen for."""

    id: str
    keys: tuple[str, ...]
    """Those it has by default."""
    description: str


_NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "delete": "Del",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


def key_name(key: str) -> str:
    """A key as a person would write it: `Ctrl+N`, `F2`, `/`."""
    *modifiers, last = key.split("+") if key != "+" else [key]
    if len(last) == 1 and last.isupper():
        modifiers.append("shift")
    name = _NAMES.get(last) or format_key(last)
    return "+".join([*map(str.capitalize, modifiers), name[:1].upper() + name[1:]])


class Keymap:
    """The keys that the settings choose, checked against every binding there is.

    Args:
        chosen: Keys by the id of a binding.
        tables: Gives the bindings of each class. It imports every screen, so it is asked only where
            keys were chosen.

    Raises:
        TuteeError: an entry names no binding or no key, or a key that has another meaning.
    """

    def __init__(self, chosen: Mapping[str, str], tables: Callable[[], Tables] = tuple) -> None:
        self.chosen = chosen
        self._tables = tables() if chosen else ()
        self._bound = bound(self._tables)
        for name, keys in chosen.items():
            _check_entry(name, keys, self._bound)
        self._taken = {name: keys.replace(" ", "") for name, keys in chosen.items()}
        for bindings in self._tables:
            _check_clashes(bindings, self._taken)

    def overrides(self) -> dict[str, str]:
        """What `App.set_keymap` takes."""
        return self._taken | _neighbours(self._taken, self._tables)

    def in_text(self, text: str, screen: type[DOMNode]) -> str:
        """`text`, which names keys as they are by default, with the chosen ones.

        A key that means several things is that of `screen`, where the text is shown, or of what is
        on it; else that of the chat or the app.
        """
        if not self.chosen:
            return text
        names = self._names(screen)
        return _NAMED.sub(lambda found: names.get(found[0], found[0]), text)

    def _names(self, screen: type[DOMNode]) -> dict[str, str]:
        """What each key of the defaults is called now."""
        parts = (screen, *getattr(screen, "PARTS", ()))
        here = {binding.id for part in parts for binding in listed(part)}

        def near(id_: str) -> tuple[bool, bool]:
            return id_ in here, id_.startswith(("app.", "chat."))

        return {
            key_name(key): key_name((_split(self.chosen.get(id_, "")) or (key,))[0])
            for id_ in sorted(self._bound, key=near)  # of several the last one counts
            for key in self._bound[id_].keys
        }


@runtime_checkable
class HasKeymap(Protocol):
    """The app, as far as its keys are concerned."""

    keymap: Keymap


def keyed(place: Widget, text: str) -> str:
    """`text`, which names keys as they are by default, with the person's own.

    Args:
        place: Where it is shown.
    """
    assert isinstance(place.app, HasKeymap)
    return place.app.keymap.in_text(text, type(place.screen))


def listed(node: type[DOMNode]) -> list[Binding]:
    """The bindings of a class itself."""
    found = node.__dict__.get("BINDINGS", ())
    return [binding for binding in found if isinstance(binding, Binding)]


def bound(tables: Tables) -> dict[str, Bound]:
    """All bindings by their id, in the order of their ids."""
    found: dict[str, Bound] = {}
    for bindings in tables:
        for binding in bindings:
            if binding.id:
                before = found.get(binding.id)
                keys = dict.fromkeys((*(before.keys if before else ()), *_split(binding.key)))
                said = before.description if before else binding.description
                if said in ("", "Back"):
                    said = binding.description  # where it opens says more than where it closes
                found[binding.id] = Bound(binding.id, tuple(keys), said)
    return dict(sorted(found.items()))


def _check_entry(name: str, keys: str, known: Mapping[str, Bound]) -> None:
    place = _("The settings have a problem at `keys.{name}`").format(name=name)
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = _("`tutee keys` lists them all.")
        if near:
            hint = _("Did you mean `{name}`? `tutee keys` lists them all.").format(name=near[0])
        raise TuteeError(
            _("{place}: nothing has that id.").format(place=place),
            hint,
        )
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
    """Whether it is what Unicode calls a character, as in `question_mark`."""
    with suppress(KeyError):
        return bool(unicodedata.lookup(name.replace("_", " ")))
    return name in REPLACED_KEYS


def _check_clashes(bindings: Iterable[Binding], taken: Mapping[str, str]) -> None:
    """Refuse a key that would do two things on one screen, where it did one before."""
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
    """Bindings that share a key with a changed one keep it: Textual takes a key away as a whole."""
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
