"""The texts that Tutee says, gathered from its source, and the catalogs that translate them.

`make words` brings the catalogs up to date: new texts are put in without a translation, and those
that are said no more are taken out. Read from the syntax tree rather than with Babel, which looks
into no f-string and finds no help of commands, options and settings: that stands in docstrings and
plain strings, as does what the screens say of themselves and of their keys.
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
"""Where everything that is said is in the catalogs."""

_MARKS = {"_": 1, "N_": 1, "ngettext": 2}
"""How many texts each is given."""


class Text(NamedTuple):
    """What is said, and how of many where the number counts."""

    one: str
    many: str = ""


def said() -> dict[Text, str]:
    """Every text of the source, with the first file it stands in."""
    found: dict[Text, str] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = ast.parse(path.read_text(encoding="utf-8"))
            for text in (*_marked(source), *_helps(source), *_screens(source)):
                found.setdefault(text, path.relative_to(ROOT).as_posix())
    for setting in all_settings():
        for told in (setting.help, setting.label):
            found.setdefault(Text(told), "core/config.py")
    return found


def _marked(source: ast.AST) -> Iterator[Text]:
    """What stands in `_`, `N_` and `ngettext`; a text that is put together cannot be looked up."""
    calls = (node for node in ast.walk(source) if isinstance(node, ast.Call))
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(call.func, ast.Name) and call.func.id in _MARKS:
            texts = call.args[: _MARKS[call.func.id]]
            if any(isinstance(text, ast.JoinedStr) for text in texts):
                raise ValueError(f"line {call.lineno}: an f-string cannot be looked up")
            said = [*_texts(texts)]
            if len(said) == _MARKS[call.func.id] and said[0]:
                yield Text(*said)


def _texts(nodes: Iterable[ast.expr]) -> Iterator[str]:
    """The texts among `nodes`."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _helps(source: ast.AST) -> Iterator[Text]:
    """The docstrings of commands, and the help of their options."""
    for node in ast.walk(source):
        if isinstance(node, ast.FunctionDef) and any(map(_makes_command, node.decorator_list)):
            yield Text(inspect.cleandoc(ast.get_docstring(node) or ""))
        elif isinstance(node, ast.Call):
            yield from map(Text, _texts(word.value for word in node.keywords if word.arg == "help"))


_SAID_OF_A_SCREEN = ("HELP", "TITLE")
_SAID_OF_A_KEY = {"Binding": (2,), "Command": (0, 1, 4)}
"""By what is called: which of its arguments are texts."""


def _screens(source: ast.Module) -> Iterator[Text]:
    """What screens and widgets say of themselves, and of their keys and commands."""
    for node in ast.walk(source):
        match node:
            case ast.ClassDef():
                yield from _said_of_itself(node)
            case ast.Call(func=ast.Name(id=name), args=args) if name in _SAID_OF_A_KEY:
                texts = [args[place] for place in _SAID_OF_A_KEY[name] if place < len(args)]
                told = [text.value for text in texts if isinstance(text, ast.Constant)]
                yield from (Text(text) for text in told if isinstance(text, str) and text)


def _said_of_itself(node: ast.ClassDef) -> Iterator[Text]:
    for line in node.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                if name in _SAID_OF_A_SCREEN:
                    yield Text(" ".join(text.split()))


def _makes_command(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in ("command", "group")


def catalogs() -> dict[str, polib.POFile]:
    """The catalogs by language."""
    paths = LOCALE.glob("*/LC_MESSAGES/tutee.po")
    return {path.parts[-3]: polib.pofile(str(path), wrapwidth=100) for path in paths}


def main() -> None:
    """Bring every catalog up to date with the source."""
    texts = said()
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
