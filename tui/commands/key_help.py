"""What F1 says of a screen: read off its bindings, so that it says nothing but what is so.

A screen says what it is for in `HELP`, and a widget in `HELP` where its keys work. A screen names
in `PARTS` the widgets whose keys it always explains, also while there is none of them, and in
`OWN_COMMANDS` the commands that are actions of its own. What has the
focus comes first. Keys are those of the settings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from store.i18n import N_, _
from tui.commands.keymap import key_name
from tui.commands.registry import APP_COMMANDS, Command

_HERE, _EVERYWHERE = N_("On this screen"), N_("Everywhere")


@dataclass(frozen=True)
class KeyView:
    """One line: the keys, what they do, and more about it."""

    keys: str
    does: str
    more: str = ""


def help_text(screen: Screen[object]) -> tuple[str, str]:
    """What a screen is called, and what it is for."""
    text = " ".join((screen.HELP or "").split())
    return _(screen.title or "") or "Tutee", _(text)


def help_sections(screen: Screen[object], chosen: Mapping[str, str]) -> dict[str, list[KeyView]]:
    """The keys of a screen and of what is on it, by where they work.

    Args:
        screen: The one that is open.
        chosen: Keys of the person's own, by the id of a binding.
    """
    kinds: list[tuple[str, type[DOMNode]]] = [(_HERE, type(screen))]
    kinds += [(kind.__dict__.get("HELP") or _HERE, kind) for kind in _parts(screen)]
    kinds.sort(key=lambda said: said[0] == _HERE or said[1] is not type(screen.focused))
    kinds += [(_EVERYWHERE, type(screen.app))]
    own: Sequence[Command] = getattr(screen, "OWN_COMMANDS", ())
    commands = {command.action: command for command in (*own, *APP_COMMANDS)}
    lines: dict[str, dict[str, list[Binding]]] = {}
    seen: set[str] = set()
    for heading, kind in kinds:
        for binding in _own(kind, seen):
            lines.setdefault(heading, {}).setdefault(_does(binding), []).append(binding)
    return {
        _(heading): [_view(bindings, chosen, commands) for bindings in said.values()]
        for heading, said in lines.items()
    }


def key_of(action: str, screen: Screen[object], chosen: Mapping[str, str]) -> str:
    """The key that does `action` on a screen: one that works wherever the focus is, or else one of
    a part of it; empty where there is none.

    Args:
        action: As a command names it: of the screen, or of the app with `app.` before it.
        screen: The one that is open.
        chosen: Keys of the person's own, by the id of a binding.
    """
    app = type(screen.app)
    for kind in (type(screen), app, *_parts(screen)):
        # The app names its own action bare, a part says whose it is.
        named = {action, action.removeprefix("app.") if kind is app else f"screen.{action}"}
        for binding in _own(kind, set()):
            if binding.action in named:
                return next(map(key_name, _split(binding, chosen)), "")
    return ""


def _parts(screen: Screen[object]) -> Iterator[type[DOMNode]]:
    kinds = (*getattr(screen, "PARTS", ()), *map(type, screen.walk_children()))
    yield from (kind for kind in dict.fromkeys(kinds) if kind.__module__.startswith("tui."))


def _own(kind: type[DOMNode], seen: set[str]) -> Iterator[Binding]:
    """The bindings that a class of ours brings along and that were not `seen`, by their id.

    Textual's widgets speak for themselves. Those of one class may share an id, as the keys that
    close a screen do; what a class takes over from another one, and changes, it says itself.
    """
    for parent in kind.__mro__:
        if parent.__module__.startswith("tui."):
            listed = parent.__dict__.get("BINDINGS", ())
            bindings = [b for b in listed if isinstance(b, Binding) and b.id and b.description]
            yield from (binding for binding in bindings if binding.id not in seen)
            seen |= {binding.id or "" for binding in bindings}


def _does(binding: Binding) -> str:
    """What a key does, in more words than the footer has room for where there are any."""
    return binding.tooltip or binding.description


def _view(
    bindings: list[Binding], chosen: Mapping[str, str], commands: Mapping[str, Command]
) -> KeyView:
    names = dict.fromkeys(key_name(key) for b in bindings for key in _split(b, chosen))
    first = bindings[0]
    action = first.action.removeprefix("screen.")
    if action in commands:
        command = commands[action]
        return KeyView("  ".join(names), _(command.title), _(command.help))
    return KeyView("  ".join(names), _(_does(first)))


def _split(binding: Binding, chosen: Mapping[str, str]) -> list[str]:
    keys = chosen.get(binding.id or "", binding.key)
    return [key.strip() for key in keys.split(",") if key.strip()]
