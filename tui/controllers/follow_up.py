"""A second try at a question: the reply that may correct the first one.

After "shorter, please" the next reply is often what the first one should have been, and so is a
reply that was written again, or to a question that was edited. Any of them can be made the
correction of the first reply at one key; where it probably is one, that is offered. Nothing is
taken by itself, so a wrong guess costs one dim line.

The guess: a follow-up is short, asks nothing (but "could you …?" is a wish), and names a change
("shorter", "in Chinese", "no, …") or leads to a reply of mostly the same words. It wrongly lets
through a short change of subject that names one ("no, tell me about Peru"), and wrongly holds back
a wish of more than twelve words, or in words it does not know; the key works for those too.
"""

import re
from dataclasses import dataclass

from store.records import Message
from store.repository import Repository

_MOST_WORDS = 12
_ALIKE = 0.5
"""Share of the shorter reply's words that two tries at one question have in common."""
_FEW = 3
"""Words below which any two texts may be alike by chance."""
_SAME_QUESTION = 0.3
"""The same for two versions of a question."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]|[^\W_]+")
_CHANGE = re.compile(
    r"\b(short(er)?|brief(er|ly)?|long(er)?|simpl(er|ify|y)|detail(s|ed)?|formal(ly)?|informal(ly)?|"
    r"friendl(y|ier)|polite(ly)?|again|retry|rewrite|rephrase|reword|redo|instead|rather|more|less|"
    r"fewer|without|only|just|no|not|don'?t|wrong|incorrect|fix|correct|try|translate|bullets?|"
    r"(in|into) (one|two|three|a|an|plain|chinese|english|french|german|spanish|italian|japanese|"
    r"korean|russian|portuguese|prose|verse|code|python|json|markdown)|"
    r"as (a|an) (list|table|poem|sentence|paragraph|word)|(one|a single) (word|sentence|line))\b"
    r"|[短长简详]|重[写新做来]|再|换|改|不对|不是|错|不要|别|只|用.{1,4}[文语话]|列表|表格|翻译|一句|正式|口语",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"\s*(please\s+)?(can|could|would|will) you\b|\s*(请|能|可以|可否|能否)", re.IGNORECASE
)
"""How a wish begins that is put as a question."""


@dataclass(frozen=True)
class SecondTry:
    """A reply to a question that was answered before."""

    first: Message
    """The first reply."""
    why: str
    """What the user asked to be different; empty where the question itself changed."""
    likely: bool
    """It is probably meant to replace the first reply."""


def second_try(repository: Repository, reply: Message) -> SecondTry | None:
    """Return the first reply that `reply` may correct; None if it is the first itself."""
    question = repository.message(reply.parent_id) if reply.parent_id else None
    if question is None or question.role != "user":
        return None
    replies = [m for m in repository.children(question.id) if m.role == "assistant"]
    if replies[0].id != reply.id:
        return SecondTry(replies[0], "", likely=True)
    return _edited(repository, question) or _followed(repository, question, reply)


def _edited(repository: Repository, question: Message) -> SecondTry | None:
    """The reply to the first version of a question."""
    versions = repository.siblings(question.conversation_id)[question.id]
    if versions[0] == question.id:
        return None
    earlier = repository.message(versions[0])
    replies = [m for m in repository.children(earlier.id) if m.role == "assistant"]
    if not replies:
        return None
    likely = _shared(earlier.content, question.content) >= _SAME_QUESTION
    return SecondTry(replies[0], "", likely)


def _followed(repository: Repository, question: Message, reply: Message) -> SecondTry | None:
    """The reply before the question, or the one before that where both ask for another try."""
    first = repository.message(question.parent_id) if question.parent_id else None
    if first is None or first.role != "assistant":
        return None
    likely = _asks_for_another(question.content) or (
        _is_short(question.content) and _shared(first.content, reply.content) >= _ALIKE
    )
    earlier = repository.message(first.parent_id) if first.parent_id else None
    if likely and earlier is not None and earlier.parent_id and _asks_for_another(earlier.content):
        before = _followed(repository, earlier, first)
        if before is not None:
            return SecondTry(before.first, question.content, likely)
    return SecondTry(first, question.content, likely)


def _is_short(text: str) -> bool:
    asks = text.rstrip().endswith(("?", "？", "吗", "呢"))
    wish = not asks or _POLITE.match(text) is not None
    return wish and len(_WORD.findall(text)) <= _MOST_WORDS


def _asks_for_another(text: str) -> bool:
    return _is_short(text) and _CHANGE.search(text) is not None


def _shared(one: str, other: str) -> float:
    """Share of the words of the shorter text that the other has too; 0 for a text of few words."""
    mine, theirs = (set(map(str.casefold, _WORD.findall(text))) for text in (one, other))
    fewest = min(len(mine), len(theirs))
    return len(mine & theirs) / fewest if fewest >= _FEW else 0.0
