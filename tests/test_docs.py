"""What the documents name is there, and what they list is what the code has."""

import re
from pathlib import Path

import pytest

from store.i18n import set_language
from tests import catalog, reference_docs

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md")])
TREES = ("core/", "data/", "store/", "tests/", "tui/", ".github/", ".ci/")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`([\w./-]+)`", text) if name.startswith(TREES)}
    linked = set(re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text))
    missing = {name for name in named if not (ROOT / name).exists()}
    missing |= {name for name in linked if not (document.parent / name).exists()}
    assert missing - {"tests/bench/results/"} == set()


@pytest.mark.parametrize("name", reference_docs.PAGES)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    set_language("en")
    written = (reference_docs.FOLDER / name).read_text(encoding="utf-8")
    assert written == reference_docs.PAGES[name](), "`make docs` brings it up to date"


def test_the_messages_that_troubleshooting_quotes_exist() -> None:
    page = (reference_docs.FOLDER / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = {
        part.strip()
        for text in re.findall("“([^”]+)”", page)
        for part in text.split("…")
        if part.strip()
    }
    texts = "\n".join(text.one for text in catalog.source_texts())
    assert {text for text in quoted if text not in texts} == set()
    assert quoted


def test_the_readme_fits_on_a_few_screens() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
