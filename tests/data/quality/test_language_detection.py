"""Which language a text is in."""

import json
from collections import Counter
from pathlib import Path

import pytest

from data.quality.language_detection import language_of

SHARED = Path(__file__).parents[4] / "shared" / "data" / "llama-factory"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France?", "en"),
        ("Hello world", "en"),
        ("Wie heißt die Hauptstadt von Frankreich?", "de"),
        ("Quelle est la capitale de la France ?", "fr"),
        ("¿Cuál es la capital de Francia?", "es"),
        ("Qual è la capitale della Francia?", "it"),
        ("Qual é a capital da França? Não sei.", "pt"),
        ("Wat is de hoofdstad van Frankrijk en waarom?", "nl"),
        ("Jak się nazywa stolica Francji i dlaczego?", "pl"),
        ("Fransa'nın başkenti neresi ve neden?", "tr"),
        ("Thủ đô của Pháp là gì?", "vi"),
        ("Как называется столица Франции?", "ru"),
        ("Як називається столиця Франції?", "uk"),
        ("法国的首都是哪里？", "zh"),
        ("フランスの首都はどこですか。", "ja"),
        ("프랑스의 수도는 어디입니까?", "ko"),
        ("ما هي عاصمة فرنسا؟", "ar"),
        ("", "other"),
        ("1 + 1 = 2", "other"),
        ("😀", "other"),
    ],
)
def test_one_line_is_enough(text: str, language: str) -> None:
    assert language_of(text) == language


def test_the_language_asked_in_is_the_language_of_a_mixture() -> None:
    assert language_of("把下面的句子翻译成英文：I love to read.") == "zh"
    assert language_of("Translate this into Chinese, please: 你好") == "en"
    assert language_of("你好 (literal translation)") == "zh"


def test_code_has_no_language() -> None:
    assert language_of("```python\nfor line in file: print(line)\n```") == "other"
    assert language_of("```\nprint('the')\n```\nErkläre das bitte.") == "de"


@pytest.mark.skipif(not SHARED.exists(), reason="the sample files are not here")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_thousand_real_instructions(language: str) -> None:
    path = SHARED / f"alpaca_{language}_demo.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    found = Counter(language_of(row["instruction"] + "\n" + row["input"]) for row in rows)
    assert found[language] > 0.99 * len(rows)
