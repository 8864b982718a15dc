"""A record as it is shown whole, and the tokens that training makes of it. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.masks import encode, pieces
from data.rows import with_system
from store.records import Preference, Record, Turn, Verdict
from tui.browsing import thumb
from tui.text import harmless
from tui.views import DetailView, MaskView, TextView

if TYPE_CHECKING:
    from data.masks import Tokenizer

_SHOWN = 20_000
"""Characters of a text that are shown; laying out more would hold the screen up."""

_WHO = {"system": "System", "user": "You", "assistant": "Tutee"}


def detailed(record: Record, task: str, learned: str, found: Sequence[str]) -> DetailView:
    """Everything about one record.

    Args:
        record: What it is about.
        task: What its prompt asks for.
        learned: The versions that learned it.
        found: What the check found about it.
    """
    return DetailView(
        title=f"{record.kind.capitalize()} {thumb(record)}".strip(),
        prompt=tuple(TextView(_WHO[turn.role], _bounded(turn.content)) for turn in record.prompt),
        replies=tuple(_replies(record)),
        facts=tuple(
            (name, harmless(value)) for name, value in _facts(record, task, learned) if value
        ),
        found=tuple(map(harmless, found)),
    )


def masked(record: Record, tokenizer: "Tokenizer", system_prompt: str) -> tuple[MaskView, ...]:
    """What a pass is fed of a record: each token, and whether the loss is taken on it.

    Raises:
        TuteeError: the model's template cannot hold this conversation.
    """
    prompt = with_system(record.prompt, system_prompt)
    return tuple(
        _mask(reply.heading, tokenizer, prompt, text)
        for reply, text in zip(_replies(record), _texts(record), strict=True)
    )


def _mask(heading: str, tokenizer: "Tokenizer", prompt: Sequence[Turn], reply: str) -> MaskView:
    sample = encode(tokenizer, prompt, reply)
    tokens = len(sample.input_ids)
    return MaskView(
        f"{heading}: {tokens - sample.reply_start} of {tokens} tokens carry loss",
        tuple((harmless(piece.text), piece.trained) for piece in pieces(tokenizer, sample)),
    )


def _texts(record: Record) -> list[str]:
    if isinstance(record, Preference):
        return [record.chosen, record.rejected]
    return [record.completion]


def _replies(record: Record) -> list[TextView]:
    texts = [_bounded(text) for text in _texts(record)]
    if isinstance(record, Preference):
        chosen, rejected = texts
        return [TextView("Chosen", chosen, good=True), TextView("Rejected", rejected, good=False)]
    good = record.label if isinstance(record, Verdict) else True
    return [TextView("Reply", texts[0], good=good)]


def _facts(record: Record, task: str, learned: str) -> list[tuple[str, str]]:
    origin = record.origin
    sampling = origin.sampling
    verdict = record if isinstance(record, Verdict) else None
    return [
        ("Reasons", ", ".join(verdict.reasons) if verdict else ""),
        ("Comment", record.comment),
        ("Task", task),
        ("When", f"{record.created.astimezone():%Y-%m-%d %H:%M}"),
        ("Source", origin.source),
        ("Model", " · ".join(filter(None, (origin.model, (origin.revision or "")[:12])))),
        ("Answered by", origin.adapter or ""),
        (
            "Sampling",
            f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, seed {origin.seed}"
            if sampling
            else "",
        ),
        ("Stopped", "before its end" if origin.stopped else ""),
        ("Learned in", learned or "no version yet"),
        ("Id", record.id),
    ]


def _bounded(text: str) -> str:
    if len(text) <= _SHOWN:
        return harmless(text)
    return f"{harmless(text[:_SHOWN])}… ({len(text) - _SHOWN:,} more characters)"
