"""The choice of the language, and the completeness of the catalogs."""

import re
from collections.abc import Iterator

import pytest

from store import i18n
from store.i18n import (
    N_,
    _,
    environment_language,
    join_sentences,
    ngettext,
    set_language,
    using_language,
)
from tests import catalog

_PLACEHOLDER = re.compile(r"(?<!\{)\{(\w+)[^{}]*\}")
_KEY = re.compile(r"\{key:[^{}]*\}")


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    set_language("en")


def test_english_is_the_text_in_the_code() -> None:
    assert _("There is nothing to export.") == "There is nothing to export."
    assert ngettext("{count} pair", "{count} pairs", 2) == "{count} pairs"


def test_set_language_applies_from_then_on() -> None:
    set_language("zh")
    assert i18n.current_language() == "zh"
    assert _("There is nothing to export.") == "没有可导出的内容。"
    assert ngettext("{count:,} record", "{count:,} records", 1) == "{count:,} 条记录"
    set_language("en")
    assert _("There is nothing to export.") == "There is nothing to export."


def test_using_language_restores_the_previous_one() -> None:
    set_language("zh")
    with using_language("en"):
        assert _("There is nothing to export.") == "There is nothing to export."
    assert i18n.current_language() == "zh"


def test_a_marked_text_is_itself_until_it_is_shown() -> None:
    set_language("zh")
    assert N_("other") == "other"
    assert _(N_("other")) == "其他"


def test_nothing_stays_nothing() -> None:
    set_language("zh")
    assert _("") == ""


def test_sentences_are_joined_as_the_language_does() -> None:
    assert join_sentences(("Done.", "", "v1 is kept.")) == "Done. v1 is kept."
    set_language("zh")
    assert join_sentences(("完成。", "", "已保留 v1。")) == "完成。已保留 v1。"


def test_an_unknown_language_is_english() -> None:
    set_language("xx")
    assert i18n.current_language() == "en"


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "pt_BR.UTF-8"}, "en"),
        ({"LANG": "zh-CN"}, "zh"),
        ({"LANG": "C"}, "en"),
        ({}, "en"),
    ],
)
def test_the_environment_names_the_language(variables: dict[str, str], code: str) -> None:
    assert environment_language(variables) == code


@pytest.mark.parametrize("code", catalog.catalogs())
def test_a_catalog_is_complete(code: str) -> None:
    texts = set(catalog.source_texts())
    entries = catalog.catalogs()[code]
    there = {catalog.Text(entry.msgid, entry.msgid_plural) for entry in entries}
    assert texts - there == set(), "run `make words`, and translate what is new"
    assert there - texts == set(), "run `make words`"
    assert [entry.msgid for entry in entries if entry.fuzzy or not entry.translated()] == []


@pytest.mark.parametrize("code", catalog.catalogs())
def test_a_catalog_keeps_the_placeholders(code: str) -> None:
    for entry in catalog.catalogs()[code]:
        wanted = [_placeholders(text) for text in (entry.msgid, entry.msgid_plural)]
        for translation in (*entry.msgstr_plural.values(), *filter(None, [entry.msgstr])):
            assert _placeholders(translation) in wanted, entry.msgid


def _placeholders(text: str) -> list[str]:
    return sorted((*_PLACEHOLDER.findall(text), *_KEY.findall(text)))
