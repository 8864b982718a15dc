"""What the rooms of tui may import: widgets only values, views and controllers no Textual."""

from collections.abc import Callable

from tests.test_layers import SCREEN, imported, modules

VALUES = {
    "core.config",
    "core.evaluation.report_card",
    "core.events",
    "store.errors",
    "store.i18n",
    "store.records",
}
"""Modules of value types, which a widget may draw."""


def offences(room: str, forbidden: Callable[[str], bool]) -> list[str]:
    """The imports of the modules in `room` that are forbidden there."""
    sources = {name: path.read_text(encoding="utf-8") for name, path in modules().items()}
    return [
        f"{name} imports {other}"
        for name, source in sources.items()
        if name.startswith(f"tui.{room}.")
        for other in sorted(imported(source, sources))
        if forbidden(other)
    ]


def layer(name: str) -> str:
    return name.partition(".")[0]


def draws(name: str) -> bool:
    return layer(name) in SCREEN


def test_widgets_import_only_values_from_below() -> None:
    def behavior(name: str) -> bool:
        return layer(name) in ("core", "data", "store") and name not in VALUES

    assert offences("widgets", behavior) == []


def test_widgets_import_no_controllers() -> None:
    assert offences("widgets", lambda name: name.startswith("tui.controllers")) == []


def test_views_and_controllers_import_no_textual() -> None:
    assert offences("views", draws) + offences("controllers", draws) == []
