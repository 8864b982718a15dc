"""Corrections count before training: those like a question are put before it as examples.

A correction or a liked reply is recalled until the version that answers has learned it, and again
once that version is rolled back.

One that asks nearly the same as the question stands at the beginning of the question's own turn, as
question and answer. As an earlier turn, a small model often answers past it: of facts asked in
other words the built-in one gave 22 of 32 so, with another example beside it no more, and nearly
all the other way. One that gives the same instruction for other material stands before the question
as an earlier turn: so the form of its answer is followed, which the other way loses.

Both stand after the conversation instead of after the system prompt: everything before the question
is as it was in the last prompt, so its KV cache is continued, and only examples and question
are prefilled.

A record is found by the last question of its prompt; one that says nothing alone ("and why?") only
by the same words, together with the question before it.

Left out on purpose: records of another kind (what is chosen in a comparison may only be the lesser
evil), and the system prompt of a record. The examples are never stored as messages, so no record
made of the reply has them in its prompt.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from data.prompt_fitting import Examples
from data.prompt_index import SIMILAR, PromptIndex, says_little
from store.records import ChatMessage, Instruction, Record

EXAMPLES = 2
TOKENS = 300
"""At most so many examples before a question, and tokens in them."""
_CANDIDATES = 8


@dataclass(frozen=True)
class Example:
    """A record as an exchange to put before a question."""

    record_id: str
    messages: tuple[ChatMessage, ...]
    """From the question it answers to the reply worth learning."""
    asks_alike: bool = False
    """It asks nearly the same, rather than giving the same instruction for other material."""


class Recall:
    """Finds the records to recall; it keeps an index of them. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._index = PromptIndex()
        self._lessons: dict[str, tuple[Record, _Lesson | None]] = {}
        """By record id, with the record each was made of."""

    def examples(
        self,
        conversation: Sequence[ChatMessage],
        records: Iterable[Record],
        learned: Collection[str],
        count_tokens: Callable[[str], int],
    ) -> tuple[Example, ...]:
        """Return what to put before the last question of `conversation`, most similar last.

        Args:
            records: All records to train on, oldest first (`Repository.trainable`). Of those with
                the same question only the newest counts, learned or not.
            learned: Ids of the records that the version to answer has learned.
            count_tokens: Returns the length of a text in tokens.
        """
        asked = _last_question(conversation)
        with self._lock:
            lessons = self._update(records, learned)
            if asked is None or not lessons:
                return ()
            matches = self._index.search(asked.text, len(lessons) if asked.follows else _CANDIDATES)
        replies = {m.content.strip() for m in conversation if m.role == "assistant"}
        chosen: list[Example] = []
        room = TOKENS
        for match in matches:
            lesson = lessons[match.key]
            if lesson.asked.follows != asked.follows or lesson.reply in replies:
                continue
            tokens = sum(count_tokens(message.content) for message in lesson.example.messages)
            if tokens <= room:
                room -= tokens
                chosen.append(replace(lesson.example, asks_alike=match.similarity >= SIMILAR))
            if len(chosen) == EXAMPLES:
                break
        return tuple(reversed(chosen))

    def _update(self, records: Iterable[Record], learned: Collection[str]) -> "dict[str, _Lesson]":
        """Index the records that count, and return them by id."""
        known, self._lessons = self._lessons, {}
        newest: dict[_Question, _Lesson] = {}
        for record in records:
            made_of, lesson = known.get(record.id, (None, None))
            if made_of is not record:
                lesson = _lesson(record)
            self._lessons[record.id] = record, lesson
            if lesson is not None:
                newest.pop(lesson.asked, None)  # moves it to the end
                newest[lesson.asked] = lesson
        unlearned = (one for one in newest.values() if one.example.record_id not in learned)
        lessons = {lesson.example.record_id: lesson for lesson in unlearned}
        self._index.update({key: lesson.asked.text for key, lesson in lessons.items()})
        return lessons


def placed(examples: Iterable[Example]) -> Examples:
    """Return how the examples stand before the question: see the module."""
    turns: list[ChatMessage] = []
    preface = ""
    for example in examples:
        if example.asks_alike and len(example.messages) == 2:
            preface += "\n".join(message.content for message in example.messages) + "\n\n"
        else:
            turns += example.messages
    return Examples(tuple(turns), preface)


@dataclass(frozen=True)
class _Question:
    text: str
    """What is compared."""
    follows: str = ""
    """The last question, if it says nothing without the one before it."""


@dataclass(frozen=True)
class _Lesson:
    asked: _Question
    reply: str
    example: Example


def _lesson(record: Record) -> _Lesson | None:
    if not isinstance(record, Instruction):
        return None
    asked = _last_question(record.prompt)
    if asked is None or not record.completion.strip():
        return None
    questions = [i for i, message in enumerate(record.prompt) if message.role == "user"]
    start = questions[-2] if asked.follows else questions[-1]
    reply = ChatMessage(role="assistant", content=record.completion)
    example = Example(record.id, (*record.prompt[start:], reply))
    return _Lesson(asked, record.completion.strip(), example)


def _last_question(messages: Sequence[ChatMessage]) -> _Question | None:
    """Return what the last question is compared by; None if it says nothing."""
    questions = [message.content for message in messages if message.role == "user"][-2:]
    if not questions:
        return None
    last = _plain(questions[-1])
    if not says_little(last):
        return _Question(last)
    if len(questions) < 2 or says_little(questions[0]):
        return None
    return _Question(f"{_plain(questions[0])}\n{last}", last)


def _plain(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.casefold().splitlines())
    return "\n".join(lines).strip(" \n?!.,…？！。，")
