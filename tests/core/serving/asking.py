"""Questions for the engine, and what transformers' own loop replies to them."""

from collections.abc import Sequence
from typing import Any

import torch

from core.config import Serving
from core.serving.engine import Engine
from data.tokenization import encode_prompt
from store.records import ChatMessage, Sampling

GREEDY = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=24)
RANDOM = Sampling(temperature=1.0, top_p=0.95, repetition_penalty=1.1, max_new_tokens=24)


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=text)


def system(text: str) -> ChatMessage:
    return ChatMessage(role="system", content=text)


HELLO = [system("Be brief."), user("hello")]


EXACT = Serving(precision="fp32")


def reply(
    engine: Engine, messages: Sequence[ChatMessage], sampling: Sampling = GREEDY, seed: int = 0
) -> str:
    return "".join(engine.stream(messages, sampling, seed))


def generated(
    model: Any, engine: Engine, messages: Sequence[ChatMessage], sampling: Sampling
) -> str:
    """Return the reply of transformers' own loop, without the end token."""
    prompt = torch.tensor([encode_prompt(engine.tokenizer, messages)], device=model.device)
    output = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        do_sample=False,
        max_new_tokens=sampling.max_new_tokens,
    )
    return engine.tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True)
