"""Bodies of requests, checked and turned into what the model is asked.

Unknown fields are ignored, as OpenAI's clients expect of servers. A known field that would change
the reply is followed or refused, never ignored: a client that asks for JSON and gets prose fails
later and elsewhere.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.workers.guest_replies import RawPrompt
from store.records import ChatMessage, Role, Sampling
from tui.endpoint.api_error import ApiError, unsupported

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


_NO_LIMIT = 2**31
"""The context ends the reply before."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _StreamOptions(_Body):
    include_usage: bool | None = None


class _ResponseFormat(_Body):
    type: str = "text"


class Generation(_Body):
    """The fields that chats and raw prompts share; None stands for the default."""

    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    stop: str | tuple[str, ...] | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool | int | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_format: _ResponseFormat | None = None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def sampling(self, default: Sampling) -> Sampling:
        """Apply the request to the sampling settings.

        A negative seed is a random one, and a negative limit of tokens is none, as in llama.cpp.

        Raises:
            ApiError: a value is out of range, or cannot be followed.
        """
        self._refuse_unsupported()
        names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
        changes: dict[str, Any] = {name: getattr(self, name) for name in names}
        limit = (
            self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        )
        changes["max_new_tokens"] = limit if limit is None or limit >= 0 else _NO_LIMIT
        changes["stop"] = (self.stop,) if isinstance(self.stop, str) else self.stop
        given = {name: value for name, value in changes.items() if value is not None}
        if self.seed is not None:
            given["seed"] = self.seed if self.seed >= 0 else None
        try:
            return Sampling.model_validate({**default.model_dump(), **given})
        except ValidationError as error:
            raise invalid(error) from error

    def _refuse_unsupported(self) -> None:
        if self.n not in (None, 1):
            raise unsupported("Only one reply per request is supported (`n` = 1).", "n")
        if self.logprobs not in (None, False):
            raise unsupported("Log probabilities are not supported.", "logprobs")
        if self.logit_bias:
            raise unsupported("`logit_bias` is not supported.", "logit_bias")
        for name in ("presence_penalty", "frequency_penalty"):
            if getattr(self, name):
                raise unsupported(f"`{name}` is not supported; use `repetition_penalty`.", name)
        if self.response_format and self.response_format.type != "text":
            raise unsupported(
                "Replies cannot be constrained to JSON; ask for it in the prompt, and check it.",
                "response_format",
            )


class _Part(_Body):
    type: str
    text: str = ""


class _ChatTurn(_Body):
    role: str
    content: str | tuple[_Part, ...] | None = None

    def message(self, place: int) -> ChatMessage:
        role = _ROLES.get(self.role)
        if role is None:
            raise unsupported(
                f"Messages with the role {self.role!r} are not supported.", "messages"
            )
        parts = (self.content,) if isinstance(self.content, str) else self.content or ()
        texts: list[str] = []
        for part in parts:
            if isinstance(part, _Part) and part.type not in ("text", "input_text"):
                raise unsupported(
                    f"Content of type {part.type!r} is not supported, only text.", "messages"
                )
            texts.append(part.text if isinstance(part, _Part) else part)
        if self.content is None:
            raise ApiError(400, f"Message {place} has no content.", "invalid_value", "messages")
        return ChatMessage(role=role, content="\n".join(texts))


class ChatRequest(Generation):
    """`POST /v1/chat/completions`."""

    messages: tuple[_ChatTurn, ...] = Field(min_length=1)
    tool_choice: Any = None

    def prompt(self) -> tuple[ChatMessage, ...]:
        """Return the conversation.

        Raises:
            ApiError: a message has another role, no content, or content other than text.
        """
        if self.tool_choice not in (None, "none", "auto"):
            raise unsupported("Tools are not supported.", "tool_choice")
        return tuple(turn.message(place) for place, turn in enumerate(self.messages))


class CompletionRequest(Generation):
    """`POST /v1/completions`: a raw prompt, without the chat template."""

    prompt: str | tuple[int, ...] | tuple[str | tuple[int, ...], ...]
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None

    def raw(self) -> RawPrompt:
        """Return the prompt.

        Raises:
            ApiError: there are several, or the request cannot be followed.
        """
        for name in ("echo", "suffix"):
            if getattr(self, name):
                raise unsupported(f"`{name}` is not supported.", name)
        if self.best_of not in (None, 1):
            raise unsupported("`best_of` is not supported.", "best_of")
        if isinstance(self.prompt, str):
            return RawPrompt(self.prompt)
        tokens = tuple(part for part in self.prompt if isinstance(part, int))
        if len(tokens) == len(self.prompt):
            return RawPrompt(tokens)
        if len(self.prompt) > 1:
            raise unsupported("Only one prompt per request is supported.", "prompt")
        (content,) = self.prompt
        assert not isinstance(content, int)  # the validation lets no mixture through
        return RawPrompt(content)


class FeedbackRequest(_Body):
    """`POST /v1/feedback`: what the user thinks of a completion."""

    id: str
    label: bool | None = None
    """True for 👍, false for 👎."""
    reasons: tuple[str, ...] = ()
    """For a 👎."""
    comment: str = ""
    correction: str | None = None
    """What the reply should have been."""


_FIELDS = {"max_new_tokens": "max_tokens"}
"""Sampling settings with another name in the API."""


def invalid(error: ValidationError) -> ApiError:
    """Return the error for a body that is not what it should be."""
    first = error.errors(include_url=False, include_context=False)[0]
    loc = next((str(part) for part in first["loc"] if not isinstance(part, int)), "")
    place = _FIELDS.get(loc, loc)
    message = f"{place}: {first['msg']}" if place else first["msg"]
    return ApiError(400, message, "invalid_value", place or None)
