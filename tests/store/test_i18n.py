"""Languages: which one is spoken, and that the catalogs say all there is to say."""

import re
from collections.abc import Iterator

import pytest

from store import i18n
from store.i18n import N_, _, ngettext, of_environment, sentences, speak, speaking
from tests import catalog

_PLACEHOLDER = re.compile(r"(?<!\{)\{(\w+)[^{}]*\}")
_KEY = re.compile(r"\{key:[^{}]*\}")


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    speak("en")


def test_english_is_what_stands_in_the_code() -> None:
    assert _("There is nothing to export.") == "There is nothing to export."
    assert ngettext("{count} pair", "{count} pairs", 2) == "{count} pairs"


def test_a_language_is_spoken_from_then_on() -> None:
    speak("zh")
    assert i18n.spoken() == "zh"
    assert _("There is nothing to export.") == "没有可导出的内容。"
    assert ngettext("{count:,} record", "{count:,} records", 1) == "{count:,} 条记录"
    speak("en")
    assert _("There is nothing to export.") == "There is nothing to export."


def test_a_language_can_be_spoken_for_a_while() -> None:
    speak("zh")
    with speaking("en"):
        assert _("There is nothing to export.") == "There is nothing to export."
    assert i18n.spoken() == "zh"


def test_a_marked_text_is_itself_until_it_is_shown() -> None:
    speak("zh")
    assert N_("other") == "other"
    assert _(N_("other")) == "其他"


def test_nothing_stays_nothing() -> None:
    speak("zh")
    assert _("") == ""


def test_sentences_are_joined_as_the_language_does() -> None:
    assert sentences(("Done.", "", "v1 is kept.")) == "Done. v1 is kept."
    speak("zh")
    assert sentences(("完成。", "", "已保留 v1。")) == "完成。已保留 v1。"


def test_an_unknown_language_is_english() -> None:
    speak("xx")
    assert i18n.spoken() == "en"


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
    assert of_environment(variables) == code


@pytest.mark.parametrize("code", catalog.catalogs())
def test_a_catalog_says_everything(code: str) -> None:
    texts = set(catalog.said())
    entries = catalog.catalogs()[code]
    there = {catalog.Text(entry.msgid, entry.msgid_plural) for entry in entries}
    assert texts - there == set(), "run `make words`, and translate what is new"
    assert there - texts == set(), "run `make words`"
    assert [entry.msgid for entry in entries if entry.fuzzy or not entry.translated()] == []


@pytest.mark.parametrize("code", catalog.catalogs())
def test_a_catalog_keeps_the_placeholders(code: str) -> None:
    for entry in catalog.catalogs()[code]:
        wanted = [_placeholders(text) for text in (entry.msgid, entry.msgid_plural)]
        for told in (*entry.msgstr_plural.values(), *filter(None, [entry.msgstr])):
            assert _placeholders(told) in wanted, entry.msgid


def _placeholders(text: str) -> list[str]:
    return sorted((*_PLACEHOLDER.findall(text), *_KEY.findall(text)))
