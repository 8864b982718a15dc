"""From messages to tokens, and which tokens carry loss.

There is only one way from messages to tokens, shared by chat and training: the model's own chat
template. The prompt in training is token for token what the chat feeds the model, and the loss
covers what the model must write after it: the reply, and the token that ends its turn. That token
is taken from the template, not from the tokenizer's settings, because the two disagree in
well-known models (Qwen chat models end a turn on `<|im_end|>` whatever their eos is), and a model
that is never taught to end never stops. Whether a token carries loss depends on its position, never
on its id, so padding with the stop token changes nothing.

What people write is text and nothing else. A pasted `<|im_end|>` in a question, a file, a system
prompt or a reply is read letter by letter, so it can neither forge a turn nor teach the model to
stop there. Only the template writes control tokens. Nothing is added to the text or taken from it:
it is cut inside such a string, and the parts are tokenized on their own. Added tokens that control
nothing, such as `<h1>` or the `<think>` of a model that thinks, are vocabulary and stay whole; so
do headings that are plain text even in the template (`### User:`), which no tokenizer can tell from
the same words typed by a person.

A reply is no thought. Where a template opens one at the end of the prompt and leaves no choice
(DeepSeek-R1-Distill), it is closed there, as templates with a choice do; otherwise replies would be
learned as thoughts that never end.

A template may trim replies or put something before them; what it renders is what is learned, since
that is what the model sees in the next turn. If a template renders the end of a prompt differently
once there is a reply, the reply is used as it was written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from data.thoughts import close_thought, opened_thought
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Role

THINKING = "enable_thinking"
"""The variable that turns thinking on in the templates that leave the choice (Qwen3, SmolLM3)."""
TEMPLATE_OPTIONS = {THINKING: False}
"""Variables given to each template. Thinking is off unless asked for: only replies are taught."""
_PROBE = "Tutee0probe"
"""A reply that no template trims or contains."""
_CUT = "\ufdd0Tutee0cut\ufdd1"
"""Marks a cut until the text is tokenized, and vanishes then; it begins and ends with characters
that Unicode keeps out of texts."""


class TemplateRefusedError(TuteeError):
    """The chat template refuses these messages; `why` is its reason."""

    def __init__(self, why: str, *, for_tools: bool = False) -> None:
        super().__init__(
            _("This model's chat template cannot be used: {why}").format(why=why),
            _("It may be for tools only: choose the chat (instruct) variant, or another model.")
            if for_tools
            else _("Choose the chat (instruct) variant of the model, or another one."),
        )
        self.why = why


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that is used here."""

    eos_token_id: Any
    all_special_ids: Any
    added_tokens_decoder: Any

    def __call__(self, text: str, **options: Any) -> Any: ...
    def apply_chat_template(self, conversation: Any, **options: Any) -> Any: ...
    def convert_ids_to_tokens(self, ids: Any) -> Any: ...
    def decode(self, token_ids: Any, **options: Any) -> Any: ...


@dataclass(frozen=True)
class Sample:
    """A conversation whose last reply is learned."""

    input_ids: tuple[int, ...]
    reply_start: int
    """The loss covers `input_ids[reply_start:]`: the reply and the token that ends it."""


class Piece(NamedTuple):
    """One token as text, or several that only together form a character."""

    text: str
    trained: bool
    """It carries loss."""


class _Ending(NamedTuple):
    """How the template ends a reply."""

    text: str
    """Everything after the reply."""
    before: str
    """The part before the stop token, usually empty."""
    stop: int


def encode_prompt(
    tokenizer: Tokenizer, messages: Sequence[ChatMessage], *, thinking: bool = False
) -> list[int]:
    """Return the tokens fed to the model to write the next reply, or to continue the last message
    if it is a reply.

    Args:
        thinking: Let the model think first, where the template leaves the choice.

    Raises:
        TuteeError: The tokenizer has no chat template, or the template refuses these messages.
    """
    messages = _with_cuts(tokenizer, messages)
    if messages and messages[-1].role == "assistant":
        before, begun = prompt_text(tokenizer, messages[:-1], thinking), messages[-1].content
    else:
        before, begun = prompt_text(tokenizer, messages, thinking), ""
    return _prompt_and_reply_ids(tokenizer, before, begun)


def encode(tokenizer: Tokenizer, prompt: Sequence[ChatMessage], reply: str) -> Sample:
    """Return the tokens of a prompt and of the reply to learn, up to the token that ends it.

    The first `reply_start` tokens are exactly `encode_prompt(tokenizer, prompt)`.

    Raises:
        TuteeError: The tokenizer has no chat template or no token that ends a reply, or the
            template refuses these messages.
    """
    ending = _ending(tokenizer)
    messages = _with_cuts(tokenizer, (*prompt, ChatMessage(role="assistant", content=reply)))
    before = prompt_text(tokenizer, messages[:-1])
    whole = _render(tokenizer, messages, prompt=False)
    if whole.startswith(before):
        written = whole[len(before) :].removesuffix(ending.text) + ending.before
    else:
        written = messages[-1].content + ending.before
    ids = _prompt_and_reply_ids(tokenizer, before, written)
    return Sample(input_ids=(*ids, ending.stop), reply_start=len(_ids(tokenizer, before)))


def pieces(tokenizer: Tokenizer, sample: Sample) -> list[Piece]:
    """Split a sample into displayable tokens, special ones included.

    The joined texts are the decoded sample. Each token is decoded after the ones before it, because
    some tokenizers drop leading spaces; half a character does not match the decoded sample and is
    merged with the next token.
    """
    whole = _decode(tokenizer, sample.input_ids)
    found: list[Piece] = []
    shown = start = 0  # first tokens of the latest piece and of the next one
    end = 0  # length of the text already split
    for index in range(1, len(sample.input_ids) + 1):
        before = _decode(tokenizer, sample.input_ids[shown:start])
        text = _decode(tokenizer, sample.input_ids[shown:index])[len(before) :]
        if index == len(sample.input_ids):
            text = whole[end:]
        if text and whole.startswith(text, end):
            found.append(Piece(text, index > sample.reply_start))
            shown, start, end = start, index, end + len(text)
    return found


def prompt_text(
    tokenizer: Tokenizer, messages: Sequence[ChatMessage], thinking: bool = False
) -> str:
    """Return the text of a prompt; unless it is to think, any thought that it opens is closed.

    Raises:
        TuteeError: The tokenizer has no chat template, or the template refuses these messages.
    """
    text = _render(tokenizer, messages, prompt=True, thinking=thinking)
    return text if thinking else close_thought(text)


def can_think(tokenizer: Tokenizer) -> bool:
    """Return whether the template leaves it open if the model thinks before it replies."""
    if THINKING in str(getattr(tokenizer, "chat_template", "")):
        return True
    question = [ChatMessage(role="user", content=_PROBE)]
    return bool(opened_thought(_render(tokenizer, question, prompt=True)))


def end_of_turn(tokenizer: Tokenizer) -> int:
    """Return the token that the template ends a reply with."""
    return _ending(tokenizer).stop


def stop_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """Return the tokens that end a reply: the template's end of turn, and the tokenizer's eos."""
    eos = tokenizer.eos_token_id
    return frozenset({_ending(tokenizer).stop} | ({eos} if eos is not None else set()))


def _ending(tokenizer: Tokenizer) -> _Ending:
    """The end of turn is the first special token after the reply, or eos if there is none."""
    messages = (
        ChatMessage(role="user", content="?"),
        ChatMessage(role="assistant", content=_PROBE),
    )
    _before, reply, text = _render(tokenizer, messages, prompt=False).rpartition(_PROBE)
    if not reply:
        raise TuteeError(
            _("This model's chat template leaves out what is said in a conversation of text."),
            _("It is for pictures, or for tools only: choose a model for chat."),
        )
    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    stop = next((token for token in _ids(tokenizer, text) if token in special), None)
    if stop is not None:
        return _Ending(text, text.partition(tokenizer.convert_ids_to_tokens(stop))[0], stop)
    if tokenizer.eos_token_id is None:
        raise TuteeError(_("This model's tokenizer has no token that ends a reply."))
    return _Ending(text, "", tokenizer.eos_token_id)


def _with_cuts(tokenizer: Tokenizer, messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    """Mark a cut after the first character of each control token that a message spells out."""
    whole = "\n".join(message.content for message in messages)
    written = [
        token
        for token in tokenizer.added_tokens_decoder.values()
        if token.content in whole and len(token.content.strip()) > 1
    ]
    if not written:
        return messages
    turns = _turns(tokenizer)
    control = [token.content for token in written if token.special or token.content in turns]
    if not control:
        return messages
    # A lookahead also finds a string that begins inside another one.
    first = re.compile(f"(?={'|'.join(map(re.escape, control))}).", re.DOTALL)
    return [
        message.model_copy(update={"content": first.sub(rf"\g<0>{_CUT}", message.content)})
        for message in messages
    ]


def _turns(tokenizer: Tokenizer) -> str:
    """Return what the template writes around messages: not every tokenizer calls that special."""
    roles: tuple[Role, ...] = ("user", "assistant", "user")
    messages = [ChatMessage(role=role, content=_PROBE) for role in roles]
    return _render(tokenizer, messages, prompt=False)


def _render(
    tokenizer: Tokenizer,
    messages: Sequence[ChatMessage],
    *,
    prompt: bool,
    thinking: bool = False,
) -> str:
    try:
        return _apply_template(tokenizer, messages, prompt, thinking)
    except Exception as error:  # a template is arbitrary code and may raise anything
        if len(messages) > 1 and messages[0].role == "system":
            # The templates of Gemma and older Mistral models have no system role.
            folded = _with_folded_system(messages)
            return _render(tokenizer, folded, prompt=prompt, thinking=thinking)
        why = str(error).partition("\n")[0][:200] or type(error).__name__
        for_tools = "tools" in str(getattr(tokenizer, "chat_template", ""))
        raise TemplateRefusedError(why, for_tools=for_tools) from error


def _apply_template(
    tokenizer: Tokenizer, messages: Sequence[ChatMessage], prompt: bool, thinking: bool
) -> str:
    dicts = [message.model_dump() for message in messages]
    options = {"tokenize": False, "add_generation_prompt": prompt, **TEMPLATE_OPTIONS}
    if thinking:
        options[THINKING] = True
    return str(tokenizer.apply_chat_template(dicts, **options))


def _with_folded_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    system, first, *rest = messages
    return [first.model_copy(update={"content": f"{system.content}\n\n{first.content}"}), *rest]


def _prompt_and_reply_ids(tokenizer: Tokenizer, before: str, written: str) -> list[int]:
    """The tokens of a prompt and of the reply so far; the prompt's own tokens come first."""
    prompt_ids = _ids(tokenizer, before)
    if not written:
        return prompt_ids
    ids = _ids(tokenizer, before + written)
    if ids[: len(prompt_ids)] != prompt_ids:
        # The reply's first letters would merge with the prompt's last token. The chat cannot take
        # that token back, so neither does training.
        ids = prompt_ids + _ids(tokenizer, written)
    return ids


def _decode(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    options = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    return str(tokenizer.decode(list(ids), **options))


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    first, *rest = text.split(_CUT)
    ids = _parse(tokenizer, first)
    for part in rest:
        ids += _parse_inside(tokenizer, part)
    return ids


def _parse_inside(tokenizer: Tokenizer, part: str) -> list[int]:
    """Return the tokens of a part that does not begin its text.

    Some tokenizers put a space before any text; here it goes before a line feed, which is removed.
    """
    line_feed, ids = _parse(tokenizer, "\n"), _parse(tokenizer, "\n" + part)
    if ids[: len(line_feed)] != line_feed:
        return _parse(tokenizer, part)
    return ids[len(line_feed) :]


def _parse(tokenizer: Tokenizer, text: str) -> list[int]:
    try:
        # The template has already added the special tokens.
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    except BaseException as error:
        # Rust's panics have this class only, and are no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise TuteeError(
            _("The model's tokenizer broke down on this text."),
            _("Shorten or rephrase it; if that recurs, choose another model."),
        ) from error
