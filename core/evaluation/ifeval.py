"""The instructions of IFEval, checked by program (Zhou et al., 2023, arXiv:2311.07911).

Written anew after their descriptions; each is the strict form. Language is told by Tutee's own
detection, and a sentence ends at `.`, `!`, `?` or their Chinese forms, so single prompts may be
judged otherwise than by the original scorer.
"""

import json
import re
from collections.abc import Callable, Mapping

from data.quality.language_detection import language_of

Instruction = Callable[..., bool]
"""Given the reply and the instruction's own arguments, returns whether it was followed."""

_SENTENCE = re.compile(r"[^.!?。！？]+(?:[.!?。！？]+|$)")


def words(text: str) -> int:
    return len(re.findall(r"\w+", text))


def sentences(text: str) -> int:
    return sum(bool(part.strip()) for part in _SENTENCE.findall(text))


def bullets(text: str) -> int:
    return len(re.findall(r"^\s*(?:[-+•]|\*(?!\*))\s", text, re.MULTILINE))


def is_json(text: str) -> bool:
    """Return whether `text`, without a code fence around it, is JSON."""
    try:
        json.loads(without_fence(text))
    except (ValueError, RecursionError):
        return False
    return True


def without_fence(text: str) -> str:
    """Return `text` without one code fence around all of it."""
    lines = text.strip().splitlines()
    if len(lines) > 2 and lines[0].startswith("```") and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return text


def _compared(number: int, relation: str | None, limit: int) -> bool:
    return number < limit if relation == "less than" else number >= limit


def _keyword_count(reply: str, keyword: str) -> int:
    return len(re.findall(rf"\b{re.escape(keyword)}\b", reply, re.IGNORECASE))


def _paragraphs(reply: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", reply) if part.strip()]


def _first_word(reply: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    found = _paragraphs(reply)
    if len(found) != num_paragraphs or not 0 < nth_paragraph <= num_paragraphs:
        return False
    start = re.match(r"\W*(\w+)", found[nth_paragraph - 1])
    return start is not None and start[1].lower() == first_word.lower()


def _two_responses(reply: str) -> bool:
    parts = [part.strip() for part in reply.split("******") if part.strip()]
    return len(parts) == 2 and parts[0] != parts[1]


def _highlights(reply: str) -> int:
    return len(re.findall(r"\*\*[^\n*]+\*\*|\*[^\n*]+\*", reply))


def _capital_words(reply: str) -> int:
    return sum(word.isupper() for word in re.findall(r"\b[^\W\d_]+\b", reply))


INSTRUCTIONS: Mapping[str, Instruction] = {
    "keywords:existence": lambda r, keywords: all(_keyword_count(r, k) for k in keywords),
    "keywords:forbidden_words": lambda r, forbidden_words: (
        not any(_keyword_count(r, word) for word in forbidden_words)
    ),
    "keywords:frequency": lambda r, keyword, frequency, relation=None: _compared(
        _keyword_count(r, keyword), relation, frequency
    ),
    "keywords:letter_frequency": lambda r, letter, let_frequency, let_relation=None: _compared(
        r.lower().count(letter.lower()), let_relation, let_frequency
    ),
    "language:response_language": lambda r, language: _speaks(r, language),
    "length_constraints:number_sentences": lambda r, num_sentences, relation=None: _compared(
        sentences(r), relation, num_sentences
    ),
    "length_constraints:number_words": lambda r, num_words, relation=None: _compared(
        words(r), relation, num_words
    ),
    "length_constraints:number_paragraphs": lambda r, num_paragraphs: (
        len([part for part in r.split("***") if part.strip()]) == num_paragraphs
    ),
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": lambda r, num_placeholders: (
        len(re.findall(r"\[[^\[\]]*\]", r)) >= num_placeholders
    ),
    "detectable_content:postscript": lambda r, postscript_marker: (
        re.search(rf"^\s*{re.escape(postscript_marker)}", r, re.MULTILINE | re.IGNORECASE)
        is not None
    ),
    "detectable_format:number_bullet_lists": lambda r, num_bullets: bullets(r) == num_bullets,
    "detectable_format:constrained_response": lambda r: any(
        f"My answer is {answer}." in r for answer in ("yes", "no", "maybe")
    ),
    "detectable_format:number_highlighted_sections": lambda r, num_highlights: (
        _highlights(r) >= num_highlights
    ),
    "detectable_format:multiple_sections": lambda r, section_spliter, num_sections: (
        len(re.findall(rf"{re.escape(section_spliter)}\s*\d+", r)) >= num_sections
    ),
    "detectable_format:json_format": is_json,
    "detectable_format:title": lambda r: re.search(r"<<[^\n<>]*\S[^\n<>]*>>", r) is not None,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": lambda r, prompt_to_repeat: (
        r.strip().lower().startswith(prompt_to_repeat.strip().lower())
    ),
    "startend:end_checker": lambda r, end_phrase: (
        r.strip().strip('"').lower().endswith(end_phrase.strip().lower())
    ),
    "startend:quotation": lambda r: (
        len(r.strip()) > 1 and r.strip().startswith('"') and r.strip().endswith('"')
    ),
    "change_case:capital_word_frequency": lambda r, capital_frequency, capital_relation=None: (
        _compared(_capital_words(r), capital_relation, capital_frequency)
    ),
    "change_case:english_capital": lambda r: r.isupper(),
    "change_case:english_lowercase": lambda r: r.islower(),
    "punctuation:no_comma": lambda r: not re.search("[,，、]", r),
}
"""By the ids of the data set."""


def _speaks(reply: str, wanted: str) -> bool:
    return language_of(reply) == wanted
