"""The help behind F1, read from the bindings of a screen, so that it is always true.

`HELP` of a screen says what the screen is for, `HELP` of a widget where its keys work. `PARTS` of a
screen names widgets whose keys are listed even while there is no such widget, and `OWN_COMMANDS`
the commands that are actions of the screen. The focused widget comes first. Keys are the user's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from store.i18n import N_, _
from tui.commands.keymap import key_name, listed
from tui.commands.registry import APP_COMMANDS, Command

_HERE, _EVERYWHERE = N_("On this screen"), N_("Everywhere")


@dataclass(frozen=True)
class KeyView:
    keys: str
    does: str
    more: str = ""


def help_text(screen: Screen[object]) -> tuple[str, str]:
    """Return the title of a screen and what it is for."""
    text = " ".join((screen.HELP or "").split())
    return _(screen.title or "") or "Tutee", _(text)


def help_sections(screen: Screen[object], chosen: Mapping[str, str]) -> dict[str, list[KeyView]]:
    """List the keys of a screen and of its widgets, by the place where they work; `chosen` are the
    user's keys by binding id."""
    kinds: list[tuple[str, type[DOMNode]]] = [(_HERE, type(screen))]
    kinds += [(kind.__dict__.get("HELP") or _HERE, kind) for kind in _parts(screen)]
    kinds.sort(key=lambda kind: kind[0] == _HERE or kind[1] is not type(screen.focused))
    kinds += [(_EVERYWHERE, type(screen.app))]
    own: Sequence[Command] = getattr(screen, "OWN_COMMANDS", ())
    commands = {command.action: command for command in (*own, *APP_COMMANDS)}
    lines: dict[str, dict[str, list[Binding]]] = {}
    seen: set[str] = set()
    for heading, kind in kinds:
        for binding in _own(kind, seen):
            lines.setdefault(heading, {}).setdefault(_does(binding), []).append(binding)
    return {
        _(heading): [_view(bindings, chosen, commands) for bindings in groups.values()]
        for heading, groups in lines.items()
    }


def key_of(action: str, screen: Screen[object], chosen: Mapping[str, str]) -> str:
    """Return the name of the key for `action`, or an empty text without one.

    A key that works wherever the focus is goes before that of a widget. As in a command, `app.`
    stands before an action of the app.
    """
    app = type(screen.app)
    for kind in (type(screen), app, *_parts(screen)):
        # Bindings of the app name its own actions without a prefix, those of widgets need one.
        named = {action, action.removeprefix("app.") if kind is app else f"screen.{action}"}
        for binding in _own(kind, set()):
            if binding.action in named:
                return next(map(key_name, _split(binding, chosen)), "")
    return ""


def _parts(screen: Screen[object]) -> Iterator[type[DOMNode]]:
    kinds = (*getattr(screen, "PARTS", ()), *map(type, screen.walk_children()))
    yield from (kind for kind in dict.fromkeys(kinds) if kind.__module__.startswith("tui."))


def _own(kind: type[DOMNode], seen: set[str]) -> Iterator[Binding]:
    """List the bindings of a class and its bases in this project whose ids were not `seen`.

    Two bindings of one class may share an id, as the keys that close a screen do. Where a class
    redefines a binding of its base, its own counts. Bindings of Textual's widgets are left out.
    """
    for parent in kind.__mro__:
        if parent.__module__.startswith("tui."):
            bindings = [b for b in listed(parent) if b.id and b.description]
            yield from (binding for binding in bindings if binding.id not in seen)
            seen |= {binding.id or "" for binding in bindings}


def _does(binding: Binding) -> str:
    """Describe a binding by its tooltip, which may be longer than the footer allows."""
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
