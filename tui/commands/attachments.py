"""Text files that go with a message: `@path` in the prompt takes the file along.

The message that is stored, and that the model reads, holds the whole file behind the person's
words; the transcript shows one line instead. Only text goes along, and only as much as a model can
read.
"""

import re
from pathlib import Path

from store.errors import TuteeError
from store.i18n import _
from tui.text_format import counted

LIMIT = 64 * 1024
"""Bytes of a file at most: more than most models can read at once."""

_MENTION = re.compile(r"(?<!\S)@(\"[^\"\n]+\"|[^\s\"]+)")
"""`@path`, or `@"a path with blanks"`, at the beginning of a word."""
_BLOCK = re.compile(r"\n\n<file name=\"([^\"\n]*)\">\n(.*?)\n</file>", re.DOTALL)
_TRAILING = ".,;:!?)]}'，。；：！？）】」"


def with_files(text: str, folder: Path, earlier: str = "") -> str:
    """`text` with the files it mentions behind it.

    A mention of something that is no file stays what it is, an `@` and a word.

    Args:
        text: What the person wrote.
        folder: What a relative path starts from.
        earlier: The message that is written anew: files it mentions too are taken as they were.

    Raises:
        TuteeError: a file is too large, no text, or cannot be read.
    """
    kept = {block[1]: block[0] for block in _BLOCK.finditer(earlier)}
    blocks = []
    for mention in dict.fromkeys(_MENTION.findall(text)):
        written = mention.strip('"')
        name = Path(written.rstrip(_TRAILING)).name
        path = None if name in kept else _file(written, folder)
        if path is not None:
            name = path.name.replace('"', "'")
            kept[name] = f'\n\n<file name="{name}">\n{_read(path)}\n</file>'
        if name in kept:
            blocks.append(kept[name])
    return text + "".join(dict.fromkeys(blocks))


def folded(text: str) -> str:
    """A message as the transcript shows it: one line for each file that goes with it."""
    return _BLOCK.sub(_line, text)


def without_files(text: str) -> str:
    """A message as the person wrote it."""
    return _BLOCK.sub("", text)


def _line(block: "re.Match[str]") -> str:
    name, content = block.groups()
    lines = content.count("\n") + 1
    return f"\n📎 {name} · {counted(lines, 'line')}"


def _file(mention: str, folder: Path) -> Path | None:
    """The file that is meant; a full stop behind a path mostly ends the sentence."""
    for name in (mention, mention.rstrip(_TRAILING)):
        try:
            path = folder / Path(name).expanduser()
            if name and path.is_file():
                return path
        except (OSError, RuntimeError, ValueError):
            continue  # no path at all: too long, a user nobody knows, a null character
    return None


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise TuteeError(
                _("{name} is too large to send: {size:,} kB, and {limit} kB fit.").format(
                    name=path.name, size=-(-size // 1024), limit=LIMIT // 1024
                ),
                _("Send a part of it; your message is still in the prompt."),
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
        _("Only text in UTF-8 can go along."),
    )
