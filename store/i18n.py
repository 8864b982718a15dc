"""Localization: one gettext catalog per language; English needs none.

The English text is the message id, so that code reads like the English app. Code calls `_("…")`
when it shows a text: anything translated at import time would keep the language of that moment.
Texts defined earlier are marked with `N_` and pass through `_` when shown. Machine-readable output
stays English: ids, keys, log lines, prompts and files.

The catalog is kept as text (`locale/zh/LC_MESSAGES/tutee.po`) and parsed when a language is set.
Compiled catalogs would need a build step, and could differ from their source.
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

_language = "en"
_catalog: gettext.NullTranslations = gettext.NullTranslations()


def current_language() -> str:
    """Return the code of the current language."""
    return _language


def set_language(code: str) -> None:
    """Change the language; use English if `code` has no catalog."""
    global _language, _catalog
    path = _LOCALE / code / "LC_MESSAGES" / "tutee.po"
    if code == "en" or not path.is_file():
        _language, _catalog = "en", gettext.NullTranslations()
        return
    import polib

    _catalog = gettext.GNUTranslations(io.BytesIO(polib.pofile(str(path)).to_binary()))
    _language = code


@contextmanager
def using_language(code: str) -> Iterator[None]:
    """Change the language inside the block."""
    global _language, _catalog
    before = _language, _catalog
    set_language(code)
    try:
        yield
    finally:
        _language, _catalog = before


def environment_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language of the system locale, or English if it has no catalog."""
    locale = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    code = locale.replace("-", "_").partition("_")[0].lower()
    return code if code in available_languages() else "en"


def available_languages() -> tuple[str, ...]:
    """Return the codes of English and of all languages with a catalog."""
    return ("en", *sorted(path.parts[-3] for path in _LOCALE.glob("*/LC_MESSAGES/tutee.po")))


def resolve_language(setting: str) -> str:
    """Return the code of the language that a setting names; `auto` follows the system locale."""
    return environment_language() if setting == "auto" else setting


def _(text: str) -> str:
    """Translate `text` into the current language."""
    return _catalog.gettext(text) if text else ""


def N_(text: _Text) -> _Text:  # noqa: N802
    """Mark `text` for the catalog and return it unchanged, to be passed through `_` later."""
    return text


def ngettext(one: str, many: str, n: int) -> str:
    """Translate the singular or plural form that fits `n`."""
    return _catalog.ngettext(one, many, n)


def join_sentences(sentences: Iterable[str]) -> str:
    """Join the sentences that are not empty, with a space where the language has one."""
    return _("{sentence} {next}").format(sentence="", next="").join(filter(None, sentences))
