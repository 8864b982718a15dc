"""Who may import whom, what may be loaded early, and that the project composes its classes.

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
        thoughts taught_reply encodings
        formats training_split quality tokenization starter deduplication markdown
        chat_exports row_files export_tables prompt_fitting prompt_index
        format_detection llama_factory dataset_card prompts
        imports exports
    """,
    "core": """
        config events stop_reasons json_file screen_config significance recall
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
        views endpoint
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

BASES = {
    "store.records": "pydantic: what every record is, and sampling settings that have a name",
    "core.config": "pydantic: what every section of the settings is",
    "core.training.exam": "pydantic: what every kept answer is",
    "core.training.checkpoints": "trainer mixin: TRL's trainers are extended by inheritance",
    "core.training.trainer": "trainer mixin: TRL's trainers are extended by inheritance",
    "core.serving.transformers_decoder": "a decoder: the same steps, recorded as a CUDA graph",
    "tui.cli.i18n": "click: commands and groups whose help is translated",
    "tui.endpoint.requests": "pydantic: what every body is, and the fields that prompts share",
    "tui.screens.models": "Textual: the same screen under another heading",
    "tui.widgets.footer": "Textual: a special kind of widget",
    "tui.widgets.safe_text_area": "Textual: a special kind of widget",
    "tui.widgets.settings": "Textual: messages with the same fields",
    "tui.widgets.transcript": "Textual: a special kind of widget",
}
"""Modules whose classes other classes of the project may inherit from, with the reason; errors and
the classes of libraries may always be."""

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


def bases(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """The bases of every class of the project, all by their dotted names."""
    found: dict[str, set[str]] = {}
    for module, source in sources.items():
        nodes = [*ast.walk(ast.parse(source))]
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        names = {node.name: f"{module}.{node.name}" for node in classes}
        for node in nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        for node in classes:
            written = {ast.unparse(base).partition("[")[0] for base in node.bases}
            found.setdefault(f"{module}.{node.name}", set()).update(
                names.get(first, first) + dot + rest
                for first, dot, rest in (name.partition(".") for name in written)
            )
    return found


def heirs(sources: Mapping[str, str]) -> list[str]:
    """Every class that inherits from a class of the project without being allowed to."""
    known = bases(sources)

    def is_error(name: str) -> bool:
        return name == "Exception" or any(map(is_error, known.get(name, ())))

    def place(name: str) -> str:
        module, _, own = name.rpartition(".")
        return f"{own} ({module.replace('.', '/')}.py)"

    return [
        f"{place(heir)} inherits from {place(base)}: compose, or give the reason in BASES"
        for heir, inherited_from in known.items()
        for base in sorted(inherited_from & known.keys() - {heir})
        if base.rpartition(".")[0] not in BASES and not is_error(base)
    ]


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {name: path.read_text(encoding="utf-8") for name, path in modules().items()}


def test_a_module_imports_only_what_lies_below_it(sources: dict[str, str]) -> None:
    assert offences(sources) == []


def test_no_modules_import_each_other(sources: dict[str, str]) -> None:
    assert circle(sources) == []


def test_classes_are_composed(sources: dict[str, str]) -> None:
    assert heirs(sources) == []


@pytest.mark.parametrize(
    ("source", "base"),
    [
        ("class A: pass\nclass B(A): pass", "A (core/b.py)"),
        ("from core.a import A\nclass B(A[int]): pass", "A (core/a.py)"),
        ("from core import a\nclass B(a.A): pass", "A (core/a.py)"),
        ("from core.a import A as One\nclass B(Exception, One): pass", "A (core/a.py)"),
    ],
)
def test_an_heir_is_seen(source: str, base: str) -> None:
    (found,) = heirs({"core.a": "class A: pass", "core.b": source})
    assert found.startswith(f"B (core/b.py) inherits from {base}: compose")


def test_errors_and_classes_of_libraries_have_heirs() -> None:
    error = "from store.errors import TuteeError\nclass Gone(TuteeError): pass"
    source = f"{error}\nclass Lost(Gone): pass\nfrom textual.widgets import A\nclass A(A): pass"
    assert heirs({"store.errors": "class TuteeError(Exception): pass", "core.b": source}) == []


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
