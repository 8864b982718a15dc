"""Replies as the JSON of OpenAI's API, whole and in pieces."""

import time
from dataclasses import dataclass, field
from typing import Any

from core.events import ReplyDone
from data.thoughts import ThoughtStream, split_thoughts
from store.records import new_id

Json = dict[str, Any]


@dataclass
class _Envelope:
    """What is around the choices."""

    id: str
    model: str
    """As the request named it."""
    created: int = field(default_factory=lambda: int(time.time()))

    def around(self, kind: str, *choices: Json) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": list(choices),
        }


class TextShape:
    """`/v1/completions`: the text as it was generated."""

    def __init__(self, model: str) -> None:
        self._envelope = _Envelope(f"cmpl-{new_id()}{new_id()}", model)
        self.id = self._envelope.id

    def whole(self, done: ReplyDone) -> Json:
        return {**self._chunk(done.text, finish_reason(done)), "usage": usage(done)}

    def opening(self) -> list[Json]:
        return []

    def pieces(self, text: str) -> list[Json]:
        return [self._chunk(text)]

    def closing(self, done: ReplyDone) -> list[Json]:
        return [self._chunk("", finish_reason(done))]

    def usage_chunk(self, done: ReplyDone) -> Json:
        return {**self._envelope.around("text_completion"), "usage": usage(done)}

    def _chunk(self, text: str, finish: str | None = None) -> Json:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return self._envelope.around("text_completion", choice)


class ChatShape:
    """`/v1/chat/completions`: the reply, with the model's thoughts apart."""

    def __init__(self, model: str) -> None:
        self._envelope = _Envelope(f"chatcmpl-{new_id()}{new_id()}", model)
        self._thoughts = ThoughtStream()
        self.id = self._envelope.id

    def whole(self, done: ReplyDone) -> Json:
        thoughts, reply = split_thoughts(done.text)
        message = {"role": "assistant", "content": reply}
        if thoughts:
            message["reasoning_content"] = thoughts
        choice = {"index": 0, "message": message, "logprobs": None}
        choice["finish_reason"] = finish_reason(done)
        return {**self._envelope.around("chat.completion", choice), "usage": usage(done)}

    def opening(self) -> list[Json]:
        return [self._chunk({"role": "assistant", "content": ""})]

    def pieces(self, text: str) -> list[Json]:
        return self._deltas(self._thoughts.push(text))

    def closing(self, done: ReplyDone) -> list[Json]:
        return [*self._deltas(self._thoughts.flush()), self._chunk({}, finish_reason(done))]

    def usage_chunk(self, done: ReplyDone) -> Json:
        return {**self._envelope.around("chat.completion.chunk"), "usage": usage(done)}

    def _deltas(self, parts: tuple[str, str]) -> list[Json]:
        named = zip(("reasoning_content", "content"), parts, strict=True)
        return [self._chunk({name: text}) for name, text in named if text]

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._envelope.around("chat.completion.chunk", choice)


def finish_reason(done: ReplyDone) -> str:
    return "length" if done.truncated else "stop"


def usage(done: ReplyDone) -> Json:
    return {
        "prompt_tokens": done.prompt_tokens,
        "completion_tokens": done.tokens,
        "total_tokens": done.prompt_tokens + done.tokens,
    }
