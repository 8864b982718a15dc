"""The texts that Tutee says, gathered from its source, and the catalogs that translate them.

`make words` brings the catalogs up to date: new texts are put in without a translation, and those
that are said no more are taken out. Babel finds what stands in `_`, `N_` and `ngettext`. The help
of commands, options and settings is found here, because it stands in docstrings and plain strings.
"""

import ast
import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polib
from babel.messages.extract import extract_python

from tui.settings import listed

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "store" / "locale"
FOLDERS = ("store", "data", "core", "tui/cli")
"""Where everything that is said is in the catalogs."""

_KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}


class Text(NamedTuple):
    """What is said, and how of many where the number counts."""

    one: str
    many: str = ""


def said() -> dict[Text, list[str]]:
    """Every text of the source, with the files it stands in."""
    found: dict[Text, list[str]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_bytes()
            for text in (*_marked(source), *_helps(source.decode("utf-8"))):
                _put(found, text, path.relative_to(ROOT).as_posix())
    for setting in listed():
        _put(found, Text(setting.help), "core/config.py")
    return found


def _put(found: dict[Text, list[str]], text: Text, place: str) -> None:
    places = found.setdefault(text, [])
    if place not in places:
        places.append(place)


def _marked(source: bytes) -> Iterator[Text]:
    calls = extract_python(io.BytesIO(source), _KEYWORDS, (), {"encoding": "utf-8"})
    for _line, function, texts, _comments in calls:
        if function == "ngettext" and all(texts[:2]):
            yield Text(*texts[:2])
        elif function != "ngettext" and texts and isinstance(texts, str):
            yield Text(texts)


def _helps(source: str) -> Iterator[Text]:
    """The docstrings of commands, and the help of their options."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and any(map(_makes_command, node.decorator_list)):
            yield Text(inspect.cleandoc(ast.get_docstring(node) or ""))
        elif isinstance(node, ast.Call):
            told = (word.value for word in node.keywords if word.arg == "help")
            yield from (Text(text.value) for text in told if isinstance(text, ast.Constant))


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
        for text, places in texts.items():
            entry = known.get(text) or polib.POEntry(msgid=text.one, msgid_plural=text.many)
            entry.occurrences = [(place, "") for place in places]
            catalog.append(entry)
        catalog.save()


if __name__ == "__main__":
    main()
