"""Who may import whom, and what may be loaded early.

Four layers, and an order of rooms inside each. Read from the source, so that an import inside a
function or for a type counts too. A failure names the file, what it imports, and the rule.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = ("store", "data", "core", "tui")
"""Each may import those before it."""

ROOMS = {
    "data": """
        formats training_split quality tokenization starter deduplication markdown
        chat_exports row_files export_tables
        format_detection llama_factory dataset_card
        imports exports
    """,
    "core": """
        config events stop_reasons json_file screen_config
        runtime config_file
        hub
        models
        adapters
        serving
        training
        evaluation doctor
        runs
        workers recipes
    """,
    "tui": """
        text_format theme messages bridge error_toasts log
        background services terminal commands
        views
        controllers widgets
        screens
        app
        bindings
        composition
        run
        cli
        __main__
    """,
}
"""The folders and modules of a layer: a line may import only what stands before it, and those on
one line not each other."""

SCREEN = {"textual", "textual_plotext", "rich"}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "textual", "accelerate"}


def modules() -> dict[str, Path]:
    """Every module of the project by its dotted name."""
    paths = (path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
    return {name_of(path): path for path in sorted(paths)}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str, known: Iterable[str] = ()) -> set[str]:
    """The modules that a source imports, wherever it does.

    Args:
        source: Of a module.
        known: Modules that may be imported out of a package: `from core import config`.
    """
    known = set(known)

    def names(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from inner & known
            if not inner <= known:
                yield node.module

    return {name for node in ast.walk(ast.parse(source)) for name in names(node)}


def offence(importer: str, name: str) -> str:
    """The rule that `importer` breaks by importing `name`; empty where it may."""
    layer, _, _ = importer.partition(".")
    of, _, _ = name.partition(".")
    if of in SCREEN and layer != "tui":
        return "only tui draws"
    if of not in LAYERS:
        return ""
    if of != layer:
        return "" if of in LAYERS[: LAYERS.index(layer)] else " <- ".join(LAYERS)
    room, other = room_of(importer), room_of(name)
    if layer not in ROOMS or not room or not other or room == other:
        return ""
    ranks = rank_of(layer)
    if ranks[other] < ranks[room]:
        return ""
    beside = ranks[other] == ranks[room]
    return f"in {layer}, {other} {'stands beside' if beside else 'comes after'} {room}"


def room_of(name: str) -> str:
    """The folder or module of its layer that a module stands in; empty for the layer itself."""
    return (name.split(".")[1:2] or [""])[0]


def rank_of(layer: str) -> dict[str, int]:
    lines = ROOMS[layer].split("\n")
    return {room: rank for rank, line in enumerate(lines) for room in line.split()}


def offences(sources: Mapping[str, str]) -> list[str]:
    """Every import that breaks a rule, with the rule."""
    return [
        f"{importer} imports {name}: {rule}"
        for importer, source in sources.items()
        for name in sorted(imported(source, sources))
        if (rule := offence(importer, name))
    ]


def circle(sources: Mapping[str, str]) -> list[str]:
    """Modules that import each other in a circle; empty where none do."""
    graph = {
        importer: imported(source, sources) & {*sources} for importer, source in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {name: path.read_text(encoding="utf-8") for name, path in modules().items()}


def test_a_module_imports_only_what_lies_below_it(sources: dict[str, str]) -> None:
    assert offences(sources) == []


def test_no_modules_import_each_other(sources: dict[str, str]) -> None:
    assert circle(sources) == []


@pytest.mark.parametrize("layer", ROOMS)
def test_every_room_has_its_place_in_the_order(layer: str) -> None:
    there = {
        path.stem
        for path in (ROOT / layer).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - {"__init__"} == rank_of(layer).keys()


@pytest.mark.parametrize(
    ("importer", "source", "name"),
    [
        ("store.paths", "import data.training_split", "data.training_split"),
        ("data.imports", "def f():\n    from core.serving.engine import Engine", "core"),
        ("core.doctor", "from textual.app import App", "textual.app"),
        ("core.events", "from core.runtime import device", "core.runtime"),
        ("core.hub.download", "from core.models.folder import find", "core.models.folder"),
        ("tui.views.chat", "from tui.controllers import session", "tui.controllers"),
        ("tui.widgets.messages", "from tui.controllers import session", "tui.controllers"),
        ("tui.app.startup", "from tui import cli", "tui.cli"),
    ],
)
def test_the_order_sees_an_offence(importer: str, source: str, name: str) -> None:
    (found,) = offences({importer: source, "tui.cli": ""})
    assert found.startswith(f"{importer} imports {name}")


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("tui.app.startup", "from textual.app import App\nimport core.serving.engine"),
        ("data.imports", "from store.records import ChatMessage\nimport datasets"),
        ("core.training.sft", "from core.training import lora"),
        ("core.workers.chat", "from core import config"),
    ],
)
def test_the_order_lets_the_rest_pass(importer: str, source: str) -> None:
    assert offences({importer: source, "core.config": ""}) == []


def test_a_circle_is_seen() -> None:
    ring = {"core.a": "from core import b", "core.b": "def f():\n    import core.a"}
    assert {"core.a", "core.b"} == {*circle(ring)}


@pytest.mark.parametrize(
    "module",
    [
        "store.repository",
        "data.imports",
        "data.exports",
        "data.training_split",
        "data.tokenization",
    ],
)
def test_what_the_first_paint_needs_is_light(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(json.loads(done.stdout))
    assert module in loaded
    assert loaded & HEAVY == set()
