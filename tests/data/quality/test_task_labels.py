"""What a prompt asks for."""

import pytest

from data.quality.task_labels import DEFAULT_RULES, TASKS, merged, task_of
from store.records import ChatMessage, Role


def user(text: str, role: Role = "user") -> ChatMessage:
    return ChatMessage(role=role, content=text)


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("What is the capital of France?", "question answering"),
        ("Explain gravity to a child.", "question answering"),
        ("水为什么会结冰？", "question answering"),
        ("Summarise this report: profits rose.", "summary"),
        ("用一句话总结下面的新闻。", "summary"),
        ("Translate into German: Good morning!", "translation"),
        ("把“你好”翻译成英文。", "translation"),
        ("Is this review positive or negative? I loved it.", "classification"),
        ("判断这条评论的情感。", "classification"),
        ("Write a short e-mail to my landlord.", "writing"),
        ("写一封请假邮件。", "writing"),
        ("Write a Python function that adds two numbers.", "code"),
        ("用C++写一个函数。", "code"),
        ("Fine, thanks.", "other"),
        ("", "other"),
    ],
)
def test_words_tell_the_task(text: str, task: str) -> None:
    assert task in TASKS
    assert task_of([user(text)], DEFAULT_RULES) == task


def test_a_word_is_whole_and_in_any_case() -> None:
    assert task_of([user("The decoder hums.")]) == "other"
    assert task_of([user("The CODE hums.")]) == "code"
    assert task_of([user("SUMMARIZATION, please.")]) == "summary"
    assert task_of([user("请用sql数据库")]) == "code"


def test_a_text_that_was_pasted_does_not_decide() -> None:
    pasted = "They asked him to translate the code. " * 50
    assert task_of([user("Summarize: " + "rain fell. " * 60 + pasted + "rain fell. " * 60)]) == (
        "summary"
    )
    assert task_of([user("rain fell. " * 60 + "Translate all of it into Latin.")]) == "translation"


def test_a_message_that_says_nothing_leaves_it_to_the_one_before() -> None:
    asked = [user("Translate: house"), user("Haus", "assistant"), user("Louder, please.")]
    assert task_of(asked) == "translation"
    assert task_of([*asked, user("What is a house?")]) == "question answering"


def test_the_system_message_decides_last() -> None:
    told = user("You translate all you are told.", "system")
    assert task_of([told, user("Good morning.")]) == "translation"
    assert task_of([told, user("Who are you?")]) == "question answering"


def test_what_the_model_said_decides_nothing() -> None:
    assert task_of([user("Hm."), user("Translate!", "assistant"), user("Hm.")]) == "other"


def test_own_words_come_first_and_make_new_tasks() -> None:
    rules = merged({"recipes": ["cookb*", "菜谱"], "code": ["what does * print"]})
    assert task_of([user("Explain how I cook rice.")], rules) == "question answering"
    assert task_of([user("Write a cookbook.")], rules) == "recipes"
    assert task_of([user("写一份菜谱")], rules) == "recipes"
    assert task_of([user("What does it print?")], rules) == "code"
    assert task_of([user("Write a poem.")], rules) == "writing"


@pytest.mark.parametrize("word", ["(", "[a", ".+", "a|b", "\\"])
def test_a_word_is_no_pattern(word: str) -> None:
    assert task_of([user(f"so {word} it")], merged({"odd": [word]})) == "odd"
    assert task_of([user("so it")], merged({"odd": [word]})) == "other"
