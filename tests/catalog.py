"""Collect Tutee's user-visible texts from the source, and update the catalogs that translate them.

`make words` adds new texts without a translation and removes those no longer used. The texts are
read from the syntax tree: Babel does not look into f-strings, and it misses texts in docstrings and
plain strings, such as the help of commands, options, settings, screens and keys.
"""

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polib

from tui.views.settings import all_settings

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "store" / "locale"
FOLDERS = ("store", "data", "core", "tui")
"""Folders whose texts must all be in the catalogs."""

_MARKS = {"_": 1, "N_": 1, "ngettext": 2}
"""Number of texts that each function takes."""


class Text(NamedTuple):
    """A message id, with its plural form if it has one."""

    one: str
    many: str = ""


def source_texts() -> dict[Text, str]:
    """Return every text of the source and the first file that contains it."""
    found: dict[Text, str] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = ast.parse(path.read_text(encoding="utf-8"))
            for text in (*_marked(source), *_command_help(source), *_screen_texts(source)):
                found.setdefault(text, path.relative_to(ROOT).as_posix())
    for setting in all_settings():
        for told in (setting.help, setting.label):
            found.setdefault(Text(told), "core/config.py")
    return found


def _marked(source: ast.AST) -> Iterator[Text]:
    """Find the arguments of `_`, `N_` and `ngettext`, and refuse f-strings among them."""
    calls = (node for node in ast.walk(source) if isinstance(node, ast.Call))
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(call.func, ast.Name) and call.func.id in _MARKS:
            texts = call.args[: _MARKS[call.func.id]]
            if any(isinstance(text, ast.JoinedStr) for text in texts):
                raise ValueError(f"line {call.lineno}: an f-string cannot be translated")
            constants = [*_constants(texts)]
            if len(constants) == _MARKS[call.func.id] and constants[0]:
                yield Text(*constants)


def _constants(nodes: Iterable[ast.expr]) -> Iterator[str]:
    """Return the string constants among `nodes`."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _command_help(source: ast.AST) -> Iterator[Text]:
    """Find the docstrings of click commands, and `help` arguments."""
    for node in ast.walk(source):
        if isinstance(node, ast.FunctionDef) and any(
            map(_is_command_decorator, node.decorator_list)
        ):
            yield Text(inspect.cleandoc(ast.get_docstring(node) or ""))
        elif isinstance(node, ast.Call):
            yield from map(
                Text, _constants(word.value for word in node.keywords if word.arg == "help")
            )


_CLASS_TEXTS = ("HELP", "TITLE")
_ARGUMENT_TEXTS = {"Binding": (2,), "Command": (0, 1, 4)}
"""Positions of the arguments that are texts, by the name of what is called."""


def _screen_texts(source: ast.Module) -> Iterator[Text]:
    """Find the class-level texts of screens and widgets, and those of their keys and commands."""
    for node in ast.walk(source):
        match node:
            case ast.ClassDef():
                yield from _class_texts(node)
            case ast.Call(func=ast.Name(id=name), args=args) if name in _ARGUMENT_TEXTS:
                texts = [args[place] for place in _ARGUMENT_TEXTS[name] if place < len(args)]
                yield from map(Text, filter(None, _constants(texts)))


def _class_texts(node: ast.ClassDef) -> Iterator[Text]:
    for line in node.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                if name in _CLASS_TEXTS:
                    yield Text(" ".join(text.split()))


def _is_command_decorator(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in ("command", "group")


def catalogs() -> dict[str, polib.POFile]:
    """Return the catalogs by language code."""
    paths = LOCALE.glob("*/LC_MESSAGES/tutee.po")
    return {path.parts[-3]: polib.pofile(str(path), wrapwidth=100) for path in paths}


def main() -> None:
    """Update every catalog from the source."""
    texts = source_texts()
    for catalog in catalogs().values():
        known = {Text(entry.msgid, entry.msgid_plural): entry for entry in catalog}
        catalog.clear()
        for text, place in texts.items():
            entry = known.get(text) or polib.POEntry(msgid=text.one, msgid_plural=text.many)
            entry.occurrences = [(place, "")]
            catalog.append(entry)
        catalog.save()


if __name__ == "__main__":
    main()
