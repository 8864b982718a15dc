"""From turns to tokens, and which of them carry loss.

There is one way from turns to tokens, used by the chat and by training alike: the model's own chat
template. What training calls the prompt is token for token what the chat feeds the model, and the
loss lies on what the model is to write after it: the reply, and the token that ends its turn. That
token is taken from the template, not from the tokenizer's settings, because the two disagree in
well-known models (Qwen chat models end a turn on `<|im_end|>` whatever their eos is), and a model
that was never taught its end never stops. Which tokens carry loss is a position, never a token id,
so padding that equals the stop token changes nothing.

A template may trim replies, or put something before them; what is learned is what it renders,
since that is what the model will be shown in the next turn. A template that renders the end of a
prompt differently once there is a reply gets the reply as it was written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage

_PROBE = "Tutee0probe"
"""A reply that no template trims and no template contains."""


class Tokenizer(Protocol):
    """What is used of a transformers tokenizer."""

    eos_token_id: Any
    all_special_ids: Any
    added_tokens_decoder: Any

    def __call__(self, text: str, **options: Any) -> Any: ...
    def apply_chat_template(self, conversation: Any, **options: Any) -> Any: ...
    def convert_ids_to_tokens(self, ids: Any) -> Any: ...
    def decode(self, token_ids: Any, **options: Any) -> Any: ...


@dataclass(frozen=True)
class Sample:
    """A conversation to learn its last reply from."""

    input_ids: tuple[int, ...]
    reply_start: int
    """The loss is on `input_ids[reply_start:]`: the reply and the token that ends it."""


class Piece(NamedTuple):
    """A token as text; several tokens where only together they make a character."""

    text: str
    trained: bool
    """It carries loss."""


class _Ending(NamedTuple):
    """How the template ends a reply."""

    text: str
    """All it puts after the reply."""
    before: str
    """The part of it before the stop token, most often nothing."""
    stop: int


def encode_prompt(tokenizer: Tokenizer, turns: Sequence[ChatMessage]) -> list[int]:
    """The tokens the model is fed to write the next reply, or on from the last turn if that is one.

    Raises:
        TuteeError: the tokenizer has no chat template, or its template refuses these turns.
    """
    if turns and turns[-1].role == "assistant":
        before, begun = _render(tokenizer, turns[:-1], prompt=True), turns[-1].content
    else:
        before, begun = _render(tokenizer, turns, prompt=True), ""
    return _whole(tokenizer, before, begun)


def encode(tokenizer: Tokenizer, prompt: Sequence[ChatMessage], reply: str) -> Sample:
    """The tokens of a prompt and the reply to be learned, up to the token that ends it.

    The first `reply_start` tokens are exactly `encode_prompt(tokenizer, prompt)`.

    Raises:
        TuteeError: the tokenizer has no chat template or no token that ends a reply, or its
            template refuses these turns.
    """
    ending = _ending(tokenizer)
    before = _render(tokenizer, prompt, prompt=True)
    whole = _render(
        tokenizer, (*prompt, ChatMessage(role="assistant", content=reply)), prompt=False
    )
    if whole.startswith(before):
        written = whole[len(before) :].removesuffix(ending.text) + ending.before
    else:
        written = reply + ending.before
    ids = _whole(tokenizer, before, written)
    return Sample(input_ids=(*ids, ending.stop), reply_start=len(_ids(tokenizer, before)))


def pieces(tokenizer: Tokenizer, sample: Sample) -> list[Piece]:
    """What is learned, for a person to see: the sample token by token, special tokens included.

    The texts joined are the sample decoded as a whole. A token is decoded behind the ones before
    it, because some tokenizers drop the space a text begins with, and its text counts only where it
    is what the whole has there, which half a character is not.
    """
    whole = _decode(tokenizer, sample.input_ids)
    found: list[Piece] = []
    shown = start = 0  # the first tokens of the latest piece and of the next one
    end = 0  # of the text that is in pieces
    for index in range(1, len(sample.input_ids) + 1):
        before = _decode(tokenizer, sample.input_ids[shown:start])
        text = _decode(tokenizer, sample.input_ids[shown:index])[len(before) :]
        if index == len(sample.input_ids):
            text = whole[end:]
        if text and whole.startswith(text, end):
            found.append(Piece(text, index > sample.reply_start))
            shown, start, end = start, index, end + len(text)
    return found


def stop_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens that end a reply: the template's end of turn, and the tokenizer's eos."""
    eos = tokenizer.eos_token_id
    return frozenset({_ending(tokenizer).stop} | ({eos} if eos is not None else set()))


def _ending(tokenizer: Tokenizer) -> _Ending:
    """Find the end of turn: the first special token after the reply, or eos where there is none."""
    turns = (ChatMessage(role="user", content="?"), ChatMessage(role="assistant", content=_PROBE))
    text = _render(tokenizer, turns, prompt=False).rpartition(_PROBE)[2]
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    stop = next((token for token in _ids(tokenizer, text) if token in special), None)
    if stop is not None:
        return _Ending(text, text.partition(tokenizer.convert_ids_to_tokens(stop))[0], stop)
    if tokenizer.eos_token_id is None:
        raise TuteeError(_("This model's tokenizer has no token that ends a reply."))
    return _Ending(text, "", tokenizer.eos_token_id)


def _render(tokenizer: Tokenizer, turns: Sequence[ChatMessage], *, prompt: bool) -> str:
    try:
        return _applied(tokenizer, turns, prompt)
    except Exception as error:  # a template is a program of its own: it may raise anything
        if len(turns) > 1 and turns[0].role == "system":
            # Gemma's and older ones of Mistral know no system role.
            return _render(tokenizer, _folded(turns), prompt=prompt)
        raise TuteeError(
            _("This model's chat template cannot be used: {why}").format(why=error)
        ) from error


def _applied(tokenizer: Tokenizer, turns: Sequence[ChatMessage], prompt: bool) -> str:
    messages = [turn.model_dump() for turn in turns]
    # Models that can think aloud first (Qwen3) are asked not to: what is taught is replies.
    options = {"tokenize": False, "add_generation_prompt": prompt, "enable_thinking": False}
    return str(tokenizer.apply_chat_template(messages, **options))


def _folded(turns: Sequence[ChatMessage]) -> list[ChatMessage]:
    """`turns` with the system message at the head of the first one after it."""
    system, first, *rest = turns
    content = f"{system.content}\n\n{first.content}"
    return [first.model_copy(update={"content": content}), *rest]


def _whole(tokenizer: Tokenizer, before: str, written: str) -> list[int]:
    """The tokens of a prompt and of what there is of its reply; those of the prompt come first."""
    prompt_ids = _ids(tokenizer, before)
    if not written:
        return prompt_ids
    ids = _ids(tokenizer, before + written)
    if ids[: len(prompt_ids)] != prompt_ids:
        # The reply's first letters would melt into the prompt's last token. The chat cannot take
        # that token back, so neither does the training.
        ids = prompt_ids + _ids(tokenizer, written)
    return ids


def _decode(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    options = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    return str(tokenizer.decode(list(ids), **options))


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    # The template has written the special tokens already.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
