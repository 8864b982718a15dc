"""Text files attached to a message: `@path` in the prompt attaches the file, `@folder/` all in it.

The stored message, which the model gets, has the whole file after the user's words; the transcript
shows one line instead. Only text can be attached, and only as much as a model can take.
"""

import os
import re
from pathlib import Path

from store.errors import TuteeError
from store.i18n import _
from tui.text_format import counted

LIMIT = 64 * 1024
"""Largest file or folder in bytes; more than fits into the context of most models."""
_MOST_FILES = 500
_START = 2048
"""Bytes by which a text is told from other files."""

_MENTION = re.compile(r"(?<!\S)@(\"[^\"\n]+\"|[^\s\"]+)")
"""`@path`, or `@"a path with spaces"`, at the start of a word."""
_BLOCK = re.compile(r"\n\n<file name=\"([^\"\n]*)\">\n(.*?)\n</file>", re.DOTALL)
_TRAILING = ".,;:!?)]}'，。；：！？）】」"


def with_files(text: str, folder: Path, earlier: str = "") -> str:
    """Append the files that `text` mentions.

    A folder is mentioned with a slash at its end, and attaches the text files in it. A mention of
    anything else stays an `@` and a word.

    Args:
        folder: Where relative paths start.
        earlier: The message that is being edited; files that it has already are kept unchanged.

    Raises:
        TuteeError: a file is too large, not text, or cannot be read.
    """
    kept = {block[1]: block[0] for block in _BLOCK.finditer(earlier)}
    blocks = []
    for mention in dict.fromkeys(_MENTION.findall(text)):
        written = mention.strip('"')
        name = Path(written.rstrip(_TRAILING)).name
        path = None if name in kept else _place(written, folder)
        if path is not None and path.is_dir():
            blocks += [_block(f"{path.name}/{file.relative_to(path)}", file) for file in _in(path)]
            continue
        if path is not None:
            name = path.name.replace('"', "'")
            kept[name] = _block(name, path)
        if name in kept:
            blocks.append(kept[name])
    return text + "".join(dict.fromkeys(blocks))


def attached_size(text: str, folder: Path) -> int:
    """Return the bytes of the files and folders that `text` mentions, without reading them."""
    mentions = dict.fromkeys(_MENTION.findall(text)) if "@" in text else {}
    places = [_place(mention.strip('"'), folder) for mention in mentions]
    files = [file for place in places if place for file in (_in(place) or [place])]
    return sum(_size(file) for file in files if file.is_file())


def _block(name: str, path: Path) -> str:
    shown = name.replace('"', "'")
    return f'\n\n<file name="{shown}">\n{_read(path)}\n</file>'


def _in(folder: Path) -> list[Path]:
    """List the text files of a folder, and of those in it, without hidden ones.

    Raises:
        TuteeError: together they are too large.
    """
    if not folder.is_dir():
        return []
    found: list[Path] = []
    total = 0
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            path = Path(base, name)
            if not name.startswith(".") and _is_text(path):
                total += _size(path)
                found.append(path)
        if total > LIMIT or len(found) > _MOST_FILES:
            raise TuteeError(
                _("The folder {name} is too large to send: the limit is {limit} kB.").format(
                    name=folder.name, limit=LIMIT // 1024
                ),
                _("Send part of it; your message is still in the prompt."),
            )
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_text(path: Path) -> bool:
    """Whether a file begins like text."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:
        return False
    try:
        start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4 and b"\0" not in start  # cut within a character
    return b"\0" not in start


def folded(text: str) -> str:
    """Return a message as the transcript shows it, with one line for each attached file."""
    return _BLOCK.sub(_line, text)


def without_files(text: str) -> str:
    """Return a message as the user wrote it."""
    return _BLOCK.sub("", text)


def _line(block: "re.Match[str]") -> str:
    name, content = block.groups()
    lines = content.count("\n") + 1
    return f"\n📎 {name} · {counted(lines, 'line')}"


def _place(mention: str, folder: Path) -> Path | None:
    """Return the file that is meant, or the folder, if it ends with a slash. A period after a path
    usually ends the sentence."""
    for name in (mention, mention.rstrip(_TRAILING)):
        try:
            path = folder / Path(name).expanduser()
            if name and (path.is_file() or (name.endswith("/") and path.is_dir())):
                return path
        except (OSError, RuntimeError, ValueError):
            continue  # not a path: too long, an unknown user, a null character
    return None


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise TuteeError(
                _("{name} is too large to send: {size:,} kB; the limit is {limit} kB.").format(
                    name=path.name, size=-(-size // 1024), limit=LIMIT // 1024
                ),
                _("Send part of it; your message is still in the prompt."),
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TuteeError(
            _("Cannot read {file}: {why}.").format(file=path, why=error.strerror or error)
        ) from error
    except UnicodeDecodeError as error:
        raise _no_text(path) from error
    if "\0" in text:
        raise _no_text(path)
    return text.replace("\r\n", "\n").strip("\n")


def _no_text(path: Path) -> TuteeError:
    return TuteeError(
        _("{name} is not a text file.").format(name=path.name),
        _("Only UTF-8 text can be attached."),
    )
