"""The user's own prompts: text files in the folder `prompts` of the home, used with `/p NAME`.

A file may have variables, written `{{name}}`. `/p NAME KEY=VALUE …` fills them; words without a key
fill the first variable that is left, or else follow the text. What stays open is filled in the
prompt before it is sent.
"""

import re
from pathlib import Path

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _
from tui.text_format import one_line

VARIABLE = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
_VALUE = re.compile(r"(?<!\S)([^\W\d]\w*)=(\"[^\"]*\"|\S*)")
_SUFFIXES = (".md", ".txt")
_LONGEST = 64 * 1024
"""Maximum bytes of a prompt."""


def prompts(folder: Path) -> dict[str, Path]:
    """Return the prompts of a folder by name, sorted; none where there is no such folder."""
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES]
    except OSError:
        return {}
    return {path.stem: path for path in sorted(found) if not path.name.startswith(".")}


def summary(path: Path) -> str:
    """Return the beginning of a prompt, on one line; empty if it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return one_line(file.read(200))
    except OSError:
        return ""


def filled(folder: Path, written: str) -> str:
    """Return a prompt with its variables filled.

    Args:
        folder: Holds the prompts.
        written: The name of one, then `KEY=VALUE` pairs and words.

    Raises:
        TuteeError: there is no such prompt, it cannot be read, or a key names no variable of it.
    """
    name, _blank, rest = written.strip().partition(" ")
    known = prompts(folder)
    if name not in known:
        title = _("There is no prompt named {name}.") if name else _("Say which prompt to use.")
        there = ", ".join(known) or _("none yet")
        hint = _("In {folder} there are: {names}. Each .md or .txt file is one.")
        raise TuteeError(title.format(name=name), hint.format(folder=folder, names=there))
    text = _read(known[name])
    values = {key: value.strip('"') for key, value in _VALUE.findall(rest)}
    variables = list(dict.fromkeys(VARIABLE.findall(text)))
    for key in values:
        if key not in variables:
            raise TuteeError(
                _("The prompt {name} has no variable {key}.").format(name=name, key=key),
                _("It has: {names}.").format(names=", ".join(variables) or _("none")),
            )
    words = _VALUE.sub("", rest).strip()
    left = next((variable for variable in variables if variable not in values), None)
    if words and left is not None:
        values[left] = words
        words = ""
    text = VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)
    return f"{text}\n\n{words}" if words else text


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TuteeError(
            _("Cannot read {file}: {why}.").format(file=path, why=reason(error))
        ) from error
    if len(content) > _LONGEST:
        raise TuteeError(_("{file} is too large.").format(file=path))
    return content.decode("utf-8-sig", "replace").replace("\r\n", "\n").strip()
