"""A model that thinks: its thoughts come along in the stream, and are left out of batches."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from torch import Tensor

from core.events import ReplyDone, ThoughtChunk, TokenChunk
from core.models.folder import ModelFolder
from core.serving.engine import Engine
from core.workers.chat import ChatWorker
from store.records import Sampling
from tests.core.ears import ASK, GREEDY, Ears
from tests.core.serving.asking import HELLO, reply
from tests.data.tiny import SMOLLM2
from tests.families import QWEN3

Script = Callable[[Engine, str], None]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Make an engine write a text, whatever the model computes."""

    def script(engine: Engine, text: str) -> None:
        ids = engine.tokenizer(text, add_special_tokens=False)["input_ids"]

        class Scripted:
            def __init__(self, *_: object) -> None:
                self._left: Iterator[int] = iter([*ids, next(iter(engine._stop))])

            def pick(self, logits: Tensor) -> list[int]:
                return [next(self._left)] * len(logits)

        monkeypatch.setattr("core.serving.engine.Sampler", Scripted)

    return script


@pytest.fixture
def engine(tiny_folder: ModelFolder) -> Engine:
    return Engine(tiny_folder, None)


def test_a_batch_has_no_thoughts(engine: Engine, scripted: Script) -> None:
    scripted(engine, "<think>\nadd\n</think>\n\nno")
    assert reply(engine, HELLO) == "<think>\nadd\n</think>\n\nno"
    assert engine.batch([HELLO], GREEDY, 0) == ["no"]
    assert engine.candidates(HELLO, GREEDY, 0, 2, lambda: False) == ["no", "no"]


def test_a_prompt_that_opens_a_thought_begins_in_it(engine: Engine, scripted: Script) -> None:
    opening = "{% if add_generation_prompt %}{{ '<think>\n' }}{% endif %}"
    engine.tokenizer.chat_template = SMOLLM2 + opening
    thinking = GREEDY.model_copy(update={"thinking": True})
    scripted(engine, "add\n</think>\n\nhello")
    assert "".join(engine.stream(HELLO, thinking, 0)) == "<think>add\n</think>\n\nhello"
    assert engine.batch([HELLO], thinking, 0) == ["hello"]


def test_unless_it_is_to_think_that_thought_is_closed(engine: Engine, scripted: Script) -> None:
    opening = "{% if add_generation_prompt %}{{ '<think>\n' }}{% endif %}"
    engine.tokenizer.chat_template = SMOLLM2 + opening
    assert "<think>\n\n</think>" in engine.tokenizer.decode(engine._fit(HELLO, 8).prompt)
    scripted(engine, "hello")
    assert reply(engine, HELLO) == "hello"


def test_the_prompt_asks_for_thoughts_only_where_wanted(engine: Engine) -> None:
    engine.tokenizer.chat_template = QWEN3
    prompts = [
        engine.tokenizer.decode(engine._fit(HELLO, 8, thinking=thinking)[0])
        for thinking in (False, True)
    ]
    assert prompts[0].endswith("</think>\n\n")
    assert prompts[1] == prompts[0].removesuffix("<think>\n\n</think>\n\n")


@pytest.mark.parametrize(("template", "can"), [(QWEN3, True), (SMOLLM2, False)])
def test_the_template_says_whether_thinking_can_be_chosen(
    tiny_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch, template: str, can: bool
) -> None:
    from core.serving import engine as module

    loaded = module.load_tokenizer

    def with_template(folder: ModelFolder) -> Any:
        tokenizer = loaded(folder)
        tokenizer.chat_template = template
        return tokenizer

    monkeypatch.setattr(module, "load_tokenizer", with_template)
    assert Engine(tiny_folder, None).can_think is can


def test_the_worker_tells_thoughts_from_the_reply(
    chat: ChatWorker, ears: Ears, scripted: Script
) -> None:
    engine = chat._model.engine
    assert engine is not None
    scripted(engine, "<think>\nadd\n</think>\n\nhello")
    chat.reply("r", ASK, Sampling(max_new_tokens=64), seed=0)
    done = ears.wait_for(ReplyDone)
    assert (done.text, done.thoughts) == ("hello", "add")
    assert done.thought_seconds > 0
    said = [event.text for event in ears.heard if isinstance(event, TokenChunk)]
    thought = [event.text for event in ears.heard if isinstance(event, ThoughtChunk)]
    assert "".join(said) == "hello"
    assert "".join(thought).strip() == "add"
