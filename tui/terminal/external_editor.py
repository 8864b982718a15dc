"""Editing a text in the user's own editor, with the app suspended meanwhile."""

import os
import shlex
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from store.errors import TuteeError
from store.i18n import N_, _

_FALLBACKS = ("nano", "vim", "vi")


def edited(text: str, suspended: AbstractContextManager[None]) -> str:
    """Open `text` in the editor, which has the terminal while `suspended`, and return the result.

    Raises:
        TuteeError: there is no editor, or it failed; nothing is changed then.
    """
    command = _command()
    with TemporaryDirectory(prefix="tutee-") as folder:
        path = Path(folder) / "message.md"
        try:
            path.write_text(text, encoding="utf-8")
            with suspended:
                code = subprocess.run([*command, str(path)], check=False).returncode
            written = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TuteeError(
                _("The editor {editor} failed: {why}.").format(editor=command[0], why=error),
                _(_HINT),
            ) from error
    if code != 0:
        raise TuteeError(
            _("The editor {editor} exited with code {code}, so the message is unchanged.").format(
                editor=command[0], code=code
            )
        )
    return written.rstrip("\n")


_HINT = N_("Set $VISUAL or $EDITOR to the editor you want.")


def _command() -> list[str]:
    from shutil import which

    for name in ("VISUAL", "EDITOR"):
        if os.environ.get(name, "").strip():
            try:
                return shlex.split(os.environ[name])
            except ValueError as error:
                raise TuteeError(
                    _("${name} cannot be read: {why}.").format(name=name, why=error), _(_HINT)
                ) from error
    for fallback in _FALLBACKS:
        if which(fallback):
            return [fallback]
    raise TuteeError(_("No editor was found."), _(_HINT))
