"""The language Tutee speaks: one gettext catalog a language, and English without any.

The English text is the message's id, so code reads as it speaks. A module says `_("…")` where it
says something to a person, at the moment it says it: what is worked out while modules are imported
would stay in the language of that moment. Such texts are marked with `N_` and go through `_` when
they are shown. What a machine reads stays English: ids, keys, log lines, prompts, files.

The catalog is kept as text (`locale/zh/LC_MESSAGES/tutee.po`) and read when a language is chosen,
which takes some 30 ms; compiled ones would have to be built, and kept apart from it.
"""

import gettext
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

_LOCALE = Path(__file__).parent / "locale"
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")

_Text = TypeVar("_Text", bound=str)

_spoken = "en"
_catalog: gettext.NullTranslations = gettext.NullTranslations()


def languages() -> tuple[str, ...]:
    """The codes of the languages there are."""
    catalogs = _LOCALE.glob("*/LC_MESSAGES/tutee.po")
    return ("en", *sorted(path.parts[-3] for path in catalogs))


def spoken() -> str:
    """The code of the language that is spoken now."""
    return _spoken


def speak(code: str) -> None:
    """Speak another language from now on; English where there is no such one."""
    global _spoken, _catalog
    path = _LOCALE / code / "LC_MESSAGES" / "tutee.po"
    if code == "en" or not path.is_file():
        _spoken, _catalog = "en", gettext.NullTranslations()
        return
    import polib

    _catalog = gettext.GNUTranslations(io.BytesIO(polib.pofile(str(path)).to_binary()))
    _spoken = code


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak another language inside."""
    global _spoken, _catalog
    before = _spoken, _catalog
    speak(code)
    try:
        yield
    finally:
        _spoken, _catalog = before


def of_environment(environment: Mapping[str, str] = os.environ) -> str:
    """The language the person's system is set to, as far as it is spoken here."""
    chosen = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    code = chosen.replace("-", "_").partition("_")[0].lower()
    return code if code in languages() else "en"


def chosen(setting: str) -> str:
    """The code of the language that the settings mean."""
    return of_environment() if setting == "auto" else setting


def _(text: str) -> str:
    """`text` in the language that is spoken."""
    return _catalog.gettext(text) if text else ""


def N_(text: _Text) -> _Text:  # noqa: N802
    """`text` as it is, marked for the catalog: it goes through `_` when it is shown."""
    return text


def ngettext(one: str, many: str, n: int) -> str:
    """`one` or `many` in the language that is spoken, as the number `n` wants it."""
    return _catalog.ngettext(one, many, n)


def sentences(said: Iterable[str]) -> str:
    """The sentences one after the other, those that are empty left out."""
    told = [sentence for sentence in said if sentence]
    # Not every language has a blank after a full stop.
    return _("{sentence} {next}").format(sentence="", next="").join(told)
