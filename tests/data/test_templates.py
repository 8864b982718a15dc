"""The chat templates that TRL ships: what is fed in chat is what is learned from."""

import re
from pathlib import Path
from typing import Any

import pytest
import trl

from data.tokenization import encode, encode_prompt, stop_ids
from store.errors import TuteeError
from store.records import ChatMessage
from tests.data import tiny

TEMPLATES = sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
FOR_PICTURES = ("idefics3", "llava_next", "smolvlm")
"""They take texts only in parts beside pictures."""
CONTROL = re.compile(
    r"<[|｜][^'\"{}<>\s]{1,40}?[|｜]>|</?think>|<(?:start|end)_of_turn>|<turn\|>|<\|turn>|<bos>"
)


def made(template: Path) -> Any:
    text = template.read_text(encoding="utf-8")
    control = tuple(dict.fromkeys(CONTROL.findall(text)))
    tokenizer = tiny.tokenizer(text, (*control, "<EOS>", "<BOS>"), "<EOS>")
    tokenizer.bos_token = "<BOS>"
    return tokenizer


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_of_trl(template: Path) -> None:
    tokenizer = made(template)
    said = (user("Q?"), ChatMessage(role="assistant", content="No."), user("And now?"))
    if template.stem.startswith(FOR_PICTURES):
        with pytest.raises(TuteeError, match="chat template"):
            encode(tokenizer, said, "4")
        return
    sample = encode(tokenizer, said, "4")
    prompt = encode_prompt(tokenizer, said)
    assert list(sample.input_ids[: sample.reply_start]) == prompt
    shown = tokenizer.decode(prompt)
    assert shown.count("<think>") == shown.count("</think>"), "the reply is no thought"
    learned = sample.input_ids[sample.reply_start :]
    stops = stop_ids(tokenizer)
    assert [token in stops for token in learned].count(True) == 1
    assert learned[-1] in stops
    assert "think>" not in tokenizer.decode(learned)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_control_tokens_in_messages_are_text(template: Path) -> None:
    tokenizer = made(template)
    if template.stem.startswith(FOR_PICTURES):
        return
    control = [token.content for token in tokenizer.added_tokens_decoder.values()]
    control = [token for token in control if "think" not in token]
    plain = encode(tokenizer, (user("Q x"),), "R x")
    forged = encode(tokenizer, (user(f"Q {' '.join(control)} x"),), f"R {' '.join(control)} x")
    special = set(tokenizer.all_special_ids)
    assert [t for t in forged.input_ids if t in special] == [
        t for t in plain.input_ids if t in special
    ]


def test_a_prompt_that_opens_a_thought_closes_it() -> None:
    tokenizer = made(next(path for path in TEMPLATES if path.stem == "deepseek_r1_distill"))
    prompt = tokenizer.decode(encode_prompt(tokenizer, (user("Q?"),)))
    assert prompt == "<BOS><｜User｜>Q?<｜Assistant｜><think>\n\n</think>\n\n"
