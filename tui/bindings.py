"""Every key binding of the app: the one module that imports all screens."""

import importlib
import pkgutil
from collections.abc import Iterator

from textual.binding import Binding
from textual.dom import DOMNode

import tui.screens
import tui.widgets
from tui.commands.keymap import listed


def tables() -> list[list[Binding]]:
    """Return the bindings of each class of this project, by its name; imports every screen."""
    for package in (tui.screens, tui.widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    importlib.import_module("tui.app.tutee_app")
    ours = {node for node in _descendants(DOMNode) if node.__module__.startswith("tui.")}
    return [listed(node) for node in sorted(ours, key=lambda one: (one.__module__, one.__name__))]


def _descendants(node: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for child in node.__subclasses__():
        yield child
        yield from _descendants(child)
