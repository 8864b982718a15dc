"""What each check lets pass, and what it does not."""

import pytest

from core.evaluation.checks import instructions, names, ready


@pytest.mark.parametrize(
    ("name", "wanted", "right", "wrong"),
    [
        ("exact", "positive", " positive\n", "Positive"),
        ("exact", ["yes", "no"], "no", "maybe"),
        ("contains", ["4", "four"], "4 is four", "4"),
        ("contains_any", ["4", "four"], "four", "five"),
        ("not_contains", "sorry", "Here it is", "I am sorry"),
        ("regex", r"^\d{4}-\d\d$", "2026-11", "11/2026"),
        ("json", True, '```json\n{"a": [1]}\n```', '{"a": 1,}'),
        ("json", "yes", "[1]", "one"),
        ("json_equals", {"a": [1, 2]}, '{ "a": [1,2] }', '{"a": [2, 1]}'),
        ("json_equals", '{"a": 1}', '{"a": 1}', '{"a": 1, "b": 2}'),
        ("starts_with", ["Dear", "Hello"], "Hello Ann", "Hi Ann"),
        ("ends_with", "?", "Is it? ", "It is."),
        ("language", "zh", "今天天气很好，我们去公园散步。", "The weather is good today."),
        ("no_commas", True, "One and two.", "One, two."),
        ("lowercase", "true", "all low 1", "All low"),
        ("max_words", 3, "one two three", "one two three four"),
        ("min_words", "3", "one two three", "one two"),
        ("words", 2, "two words", "one"),
        ("sentences", 2, "One. Two!", "One."),
        ("max_characters", 4, "four", "fives"),
        ("bullets", 2, "List:\n- a\n* b", "- a\n- b\n- c"),
        ("lines", 1, "one", "one\ntwo"),
        ("expression", "len(words(reply)) < 3 and 'a' in lower(reply)", "A b", "b c"),
        ("expression", "number(reply) > 3", "it is 4.5", "it is 2"),
    ],
)
def test_checks(name: str, wanted: object, right: str, wrong: str) -> None:
    check = ready(name, wanted)
    assert check(right, "the question")
    assert not check(wrong, "the question")
    assert not check("", "the question") or name in ("not_contains", "no_commas") or "max" in name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("exactly", "a"),
        ("exact", ""),
        ("exact", []),
        ("regex", "("),
        ("regex", "((a{1000}){1000}){1000}"),
        ("regex", "((a{2,1000}){,1000}){1000,}"),
        ("regex", "(?:" * 400 + "a" + ")" * 400),
        ("regex", "a" * 3000),
        ("json", False),
        ("json_equals", "{"),
        ("max_words", -1),
        ("max_words", "many"),
        ("max_words", True),
        ("expression", "reply.upper()"),
        ("expression", "__import__('os')"),
        ("expression", "[c for c in reply]"),
        ("expression", "9 ** 9 ** 9"),
        ("expression", "'a' * 9999"),
        ("expression", "reply[0]"),
        ("expression", "lambda: 1"),
        ("expression", "open"),
        ("expression", "len(reply, key=1)"),
        ("expression", "len"),
        ("expression", "("),
        ("expression", "not " * 400 + "reply"),
        ("expression", "f'{reply}'"),
    ],
)
def test_mistakes_are_told_when_the_file_is_read(name: str, wanted: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ready(name, wanted)


def test_a_regular_expression_cannot_take_for_ever() -> None:
    assert not ready("regex", r"(a|aa)+$")("a" * 60 + "b", "")


def test_an_expression_that_cannot_be_computed_fails() -> None:
    for source in ("number(reply) > 1", "len(reply) / 0", "lower(3)", "reply < 3"):
        assert not ready("expression", source)("none", "")


@pytest.mark.parametrize(
    ("id_", "given", "right", "wrong"),
    [
        ("punctuation:no_comma", {}, "One and two.", "One, two."),
        (
            "length_constraints:number_words",
            {"num_words": 3, "relation": "less than"},
            "one two",
            "one two three",
        ),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n* b", "* a"),
        ("keywords:existence", {"keywords": ["ship"]}, "A Ship.", "A shipment."),
        ("keywords:forbidden_words", {"forbidden_words": ["ship"]}, "A boat.", "ship"),
        ("startend:end_checker", {"end_phrase": "Bye."}, "So long. bye.", "Bye. And more."),
        ("startend:quotation", {}, '"said"', "said"),
        ("detectable_format:title", {}, "<<Title>>\ntext", "Title"),
        ("combination:two_responses", {}, "a\n******\nb", "a"),
        ("change_case:english_lowercase", {}, "low", "Low"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "now"},
            "One.\n\nNow two.",
            "One.\n\nThen two.",
        ),
    ],
)
def test_instructions_of_ifeval(id_: str, given: dict[str, object], right: str, wrong: str) -> None:
    (check,) = instructions([id_], [{**given, "unused": None}]).values()
    assert check(right, "")
    assert not check(wrong, "")
    assert not check("", "")


def test_an_unknown_instruction_is_refused() -> None:
    with pytest.raises(ValueError, match="no instruction"):
        instructions(["poetry:rhyme"], [{}])
    with pytest.raises(ValueError, match="no_comma"):
        instructions(["punctuation:no_comma"], [{"words": 3}])


def test_the_names_are_listed() -> None:
    assert {"exact", "regex", "max_words", "min_bullets", "sentences"} <= set(names())
