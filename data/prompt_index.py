"""Find the prompts that ask nearly the same as a question.

Prompts are compared by the pieces of their words (runs of three characters, so that "deploys" and
"deploy" are alike; single characters and pairs in scripts without spaces between words), without
the words that any question is made of. The similarity is the cosine of the two sets, each piece
weighted by how rare it is among the prompts here and the general ones of the starter set, so that
the weights mean something from the first prompt on. Prompts also match if they give the same
instruction for other material, on a line of its own or before a colon, and at least two prompts
here do.

A search adds up the weights of all prompts in one flat array: ten thousand take milliseconds,
without posting lists to keep.

Left out on purpose: meaning. Two questions without a common word do not match.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data import starter

SIMILAR = 0.57
"""The required similarity, from 0 to 1. Of questions about other facts it lets up to 2 in 100
through wrongly, most of them about the same subject; of facts asked in other words it holds back 5
to 10 in 100, which share half of their words or fewer."""
_LETTERS = 3
"""Characters of a piece, with the ends of the word as one each."""
_COMPARED = 300
"""Characters that are compared at the beginning and the end of a long prompt."""
_INSTRUCTION = 3
"""Words (or pairs of unspaced characters) from which on a line may be an instruction."""
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_COLON = re.compile(r"[:：]")
_CLIPPED = re.compile(r"['’](?:s|t|d|ll|re|ve|m)\b")
_EMPTY_WORDS = frozenset(
    """a an and or but not no nor the this that these those there here it its itself he him his she
    her hers they them their we us our ours i me my mine you your yours is are was were be been
    being am do does did done doing have has had having can could will would shall should may
    might must what which who whom whose when where why how whether if then than so as of in on at
    to from for with by about into onto over under between after before up down out off again
    please tell give show know want need let get got find say says said ask mean like just also
    very much many more most some any all each every one ones other another same such only even
    still yet too called named name im youre dont doesnt cant ive id ill yes ok okay thanks thank
    hello hi hey sure really think explain help describe generate write list make create provide
    following given identify rewrite sentence word words example""".split()  # noqa: SIM905
)
"""English words that any question is made of. Other languages have only the weights."""
_EMPTY_UNSPACED = re.compile(
    "请问|请|告诉|什么时候|什么|怎么样|怎么|怎样|如何|为什么|为何|哪里|哪儿|哪个|哪天|哪些|哪|谁|多少|几个|"
    "是否|是不是|有没有|是|的|了|吗|呢|吧|啊|呀|我们|你们|他们|她们|咱们|我|你|您|他|她|它|这个|那个|这些|"
    "那些|这|那|可以|应该|一下|一个|知道|叫做|叫|啥|以下|下列|之前|之后|然后|继续|谢谢|你好|想要|需要|能不能"
)
"""The same in Chinese."""


class Match(NamedTuple):
    key: str
    similarity: float
    """From 0 to 1."""


class PromptIndex:
    """Prompts by key. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._prompts: dict[str, _Prompt] = {}
        self._vocabulary: dict[str, int] = {"": 0}
        """Numbers of the pieces; the empty one weighs nothing, and all prompts have it."""
        self._table: _Table | None = None
        """Made of the prompts by the first search after they changed."""

    def update(self, prompts: Mapping[str, str]) -> None:
        """Hold exactly these prompts, in this order; only new ones are taken apart."""
        with self._lock:
            held = self._prompts
            if [*prompts.items()] == [(key, prompt.text) for key, prompt in held.items()]:
                return
            self._prompts = {
                key: held[key] if key in held and held[key].text == text else self._read(text)
                for key, text in prompts.items()
            }
            self._table = None

    def search(self, question: str, count: int) -> list[Match]:
        """Return up to `count` prompts that match: the most similar first, of equals the last."""
        with self._lock:
            if not self._prompts:
                return []
            self._table = self._table or _Table(self._prompts, self._vocabulary)
            return self._table.search(question, count)

    def _read(self, text: str) -> "_Prompt":
        numbers = [self._vocabulary.setdefault(p, len(self._vocabulary)) for p in pieces(text)]
        return _Prompt(text, np.array([0, *numbers], dtype=np.int32), _instructions(text))


class _Prompt(NamedTuple):
    text: str
    pieces: NDArray[np.int32]
    instructions: Collection[str]


class _Table:
    """All prompts, ready to be searched.

    `pieces` holds the numbers of the pieces of one prompt after the other, `starts` where each
    begins; `weights` is by number, `norms` by prompt.
    """

    def __init__(self, prompts: Mapping[str, _Prompt], vocabulary: dict[str, int]) -> None:
        self._keys = [*prompts]
        self._vocabulary = vocabulary
        rows = [prompt.pieces for prompt in prompts.values()]
        self._pieces = np.concatenate(rows)
        self._starts = np.cumsum([0, *map(len, rows[:-1])])
        self._count = len(rows)
        often = np.bincount(self._pieces, minlength=len(vocabulary)).astype(np.float32)
        general, frequencies = _general_frequencies()
        for piece, count in frequencies.items():
            if piece in vocabulary:
                often[vocabulary[piece]] += count
        self._rarest = _weight(general + self._count, 0)
        # The squared inverse document frequency, so that a cosine is a ratio of sums of it.
        self._weights = _weight(general + self._count, often)
        self._weights[0] = 0
        self._norms = np.add.reduceat(self._weights[self._pieces], self._starts)
        self._by_instruction: dict[str, list[int]] = {}
        for place, prompt in enumerate(prompts.values()):
            for instruction in prompt.instructions:
                self._by_instruction.setdefault(instruction, []).append(place)

    def search(self, question: str, count: int) -> list[Match]:
        asked = [self._vocabulary.get(piece, -1) for piece in pieces(question)]
        known = [number for number in asked if 0 <= number < len(self._weights)]
        asked_weights = np.zeros_like(self._weights)
        asked_weights[known] = self._weights[known]
        norm = asked_weights.sum() + self._rarest * (len(asked) - len(known))
        common = np.add.reduceat(asked_weights[self._pieces], self._starts)
        cosines = common / np.sqrt(np.maximum(self._norms * norm, 1e-9))
        alike = self._same_instruction(question)
        found = np.union1d(np.flatnonzero(cosines >= SIMILAR), np.array(alike, dtype=np.intp))
        ranked = found[np.lexsort((found, cosines[found]))[::-1]][:count]
        return [Match(self._keys[place], float(cosines[place])) for place in ranked]

    def _same_instruction(self, question: str) -> list[int]:
        groups = (self._by_instruction.get(one, []) for one in _instructions(question))
        return [place for places in groups if len(places) > 1 for place in places]


def _weight(count: int, often: Any) -> Any:
    """Weigh a piece that `often` of `count` prompts have; what none has counts as rare, not new."""
    return np.log((count + 1) / (np.maximum(often, 1) + 0.5)) ** 2


def says_little(text: str) -> bool:
    """Whether no word of a text says what it is about, as in "and why?"."""
    return not pieces(text)


def pieces(text: str) -> frozenset[str]:
    """Return the pieces of the words that say what a text is about."""
    if len(text) > 2 * _COMPARED:
        text = f"{text[:_COMPARED]} {text[-_COMPARED:]}"
    words = _WORD.findall(_CLIPPED.sub("", text.casefold()))
    return frozenset(piece for word in words for piece in _pieces(word))


@lru_cache(maxsize=2**14)
def _pieces(word: str) -> tuple[str, ...]:
    if word in _EMPTY_WORDS:
        return ()
    if not _IS_UNSPACED.match(word):
        ends = f"_{word}_"
        return tuple(ends[i : i + _LETTERS] for i in range(len(ends) - _LETTERS + 1))
    parts = _EMPTY_UNSPACED.split(word)
    pairs = (part[i : i + 2] for part in parts for i in range(len(part) - 1))
    return (*"".join(parts), *pairs)


def _instructions(text: str) -> set[str]:
    """Return the parts of a text that may be the same for other material."""
    lines = [line for line in text.casefold().splitlines() if line.strip()]
    parts = [lines[0], lines[-1]] if len(lines) > 1 else []
    if lines and (colon := _COLON.search(lines[0])) and colon.end() < len(lines[0].rstrip()):
        parts.append(lines[0][: colon.start()])
    spelled = (" ".join(_WORD.findall(part)) for part in parts)
    return {part for part in spelled if _length(part) >= _INSTRUCTION}


def _length(text: str) -> int:
    """Return the number of words, two unspaced characters being one."""
    unspaced = len(_IS_UNSPACED.findall(text))
    return unspaced // 2 + len(_WORD.findall(_IS_UNSPACED.sub(" ", text)))


@cache
def _general_frequencies() -> tuple[int, Counter[str]]:
    """Return how many general prompts there are, and how many of them have each piece."""
    texts = [one.prompt for one in (*starter.rehearsal(), *starter.gate_prompts())]
    texts += [probe.prompt for probe in starter.probes()]
    texts += [record.prompt[-1].content for record in starter.instructions()]
    return len(texts), Counter(piece for text in texts for piece in pieces(text))
