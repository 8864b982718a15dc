"""The layers: store <- data <- core <- tui, and what may be loaded early.

Read from the source, so that an import inside a function counts too.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "store": {"store"},
    "data": {"data", "store"},
    "core": {"core", "data", "store"},
    "tui": {"tui", "core", "data", "store"},
}
SCREEN = {"textual", "textual_plotext", "rich"}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "textual", "accelerate"}


def imported(source: str) -> set[str]:
    """The top-level names of all modules that a source imports, wherever it does."""

    def names(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module

    return {name.partition(".")[0] for node in ast.walk(ast.parse(source)) for name in names(node)}


def offences(layer: str, source: str) -> set[str]:
    """What a module of `layer` imports and may not."""
    names = imported(source)
    wrong = (names & MAY_IMPORT.keys()) - MAY_IMPORT[layer]
    return wrong | (names & SCREEN if layer != "tui" else set())


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    modules = sorted((ROOT / layer).rglob("*.py"))
    assert modules
    found = {
        str(module.relative_to(ROOT)): sorted(offences(layer, module.read_text(encoding="utf-8")))
        for module in modules
    }
    assert {module: names for module, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("layer", "source", "expected"),
    [
        ("store", "import data.training_split", {"data"}),
        ("data", "def f():\n    from core.serving.engine import Engine", {"core"}),
        ("core", "from textual.app import App", {"textual"}),
        ("core", "from tui import app", {"tui"}),
        ("tui", "from textual.app import App\nimport core.serving.engine", set()),
        ("data", "from store.records import Turn\nimport datasets", set()),
    ],
)
def test_the_check_sees_an_offence(layer: str, source: str, expected: set[str]) -> None:
    assert offences(layer, source) == expected


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
