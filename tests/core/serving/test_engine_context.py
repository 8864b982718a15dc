"""Which messages of a conversation fit into the model's context."""

import pytest

from core.serving.engine import Engine
from data.prompt_fitting import DROPPED_TOGETHER, Examples
from data.tokenization import encode_prompt
from store.errors import TuteeError
from tests.core.serving.asking import GREEDY, HELLO, assistant, reply, system, user


def test_the_oldest_exchanges_make_room(engine: Engine) -> None:
    messages = [system("Be brief.")]
    for number in range(20):
        messages += [user(f"question {number} " + "word " * 20), assistant("answer " * 10)]
    messages.append(user("the last question"))
    assert len(encode_prompt(engine.tokenizer, messages)) > engine.context

    prompt, room, forgotten, _ = engine._fit(messages, 512)
    shown = engine.tokenizer.decode(prompt)
    assert len(prompt) + 256 <= engine.context
    assert room == min(512, engine.context - len(prompt))
    assert "Be brief." in shown
    assert "the last question" in shown
    assert "question 0" not in shown
    first = next(number for number in range(20) if f"question {number} " in shown)
    kept = [messages[0], *messages[1 + 2 * first :]]
    assert prompt == encode_prompt(engine.tokenizer, kept)
    assert forgotten == 2 * first
    assert first % DROPPED_TOGETHER == 0
    more = [messages[0], *messages[1 + 2 * (first - DROPPED_TOGETHER) :]]
    assert len(encode_prompt(engine.tokenizer, more)) + 256 > engine.context

    # The next question keeps the same prefix, which is not run again.
    messages += [assistant("yes"), user("and one more")]
    assert engine._fit(messages, 512)[0][: len(prompt)] == prompt
    reply(engine, messages, GREEDY.model_copy(update={"max_new_tokens": 512}))
    assert engine.last is not None
    assert engine.last.forgotten == forgotten


def test_at_last_only_the_question_is_left(engine: Engine) -> None:
    messages = [system("Be brief."), user("word " * 400), assistant("yes"), user("word " * 300)]
    prompt, _, forgotten, _ = engine._fit(messages, 512)
    assert prompt == encode_prompt(engine.tokenizer, [messages[0], messages[-1]])
    assert forgotten == 2


def test_a_reply_ends_where_the_context_does(engine: Engine) -> None:
    messages = [user("a b " * 170)]
    asked = GREEDY.model_copy(update={"max_new_tokens": 100_000})
    prompt, room, *_ = engine._fit(messages, asked.max_new_tokens)
    assert room == engine.context - len(prompt)
    reply(engine, messages, asked)
    assert engine.last is not None
    assert engine.last.truncated
    assert engine.last.tokens == room


def test_what_cannot_be_answered_at_all_is_known_before_it_is_asked(engine: Engine) -> None:
    long = "word " * 2000
    engine.check([user(long), assistant("hello"), user("hi")], 512)
    for messages in ([user("hi"), assistant("hello"), user(long)], [system(long), user("hi")]):
        with pytest.raises(TuteeError, match="too long for the model"):
            engine.check(messages, 512)


def test_a_message_that_cannot_fit_is_an_error_with_the_numbers(engine: Engine) -> None:
    with pytest.raises(TuteeError) as caught:
        reply(engine, [user("hi"), assistant("hello"), user("word " * 2000)])
    size = len(encode_prompt(engine.tokenizer, [user("word " * 2000)]))
    assert f"{size:,} tokens" in caught.value.title
    assert "1,000 fit" in caught.value.title
    assert reply(engine, HELLO)


TURNS = (user("the example " * 10), assistant("its answer " * 10))
EXAMPLES = Examples(TURNS, "what was taught\n\n")


def test_examples_stand_before_the_last_question_and_keep_the_prefix(engine: Engine) -> None:
    messages = [system("Be brief."), user("one"), assistant("two"), user("three")]
    prompt = engine._fit(messages, 32, EXAMPLES).prompt
    expected = [*messages[:-1], *TURNS, user("what was taught\n\nthree")]
    assert prompt == encode_prompt(engine.tokenizer, expected)
    before = encode_prompt(engine.tokenizer, [*messages[:-1], user("x")])
    shared = next(i for i, (a, b) in enumerate(zip(prompt, before, strict=False)) if a != b)
    assert "two" in engine.tokenizer.decode(prompt[:shared])


def test_examples_outlast_old_exchanges_but_not_the_question(engine: Engine) -> None:
    messages = [user("word " * 300), assistant("yes"), user("short")]
    fitted = engine._fit(messages, 256, EXAMPLES)
    assert fitted.examples
    assert fitted.dropped == 2
    assert fitted.prompt == encode_prompt(
        engine.tokenizer, [*TURNS, user("what was taught\n\nshort")]
    )

    long = [user("word " * 300)]
    alone = engine._fit(long, 256, Examples(TURNS * 9))
    assert not alone.examples
    assert alone.prompt == encode_prompt(engine.tokenizer, long)
