"""One record in full, and the tokens that training makes of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.prompt_fitting import fit_samples
from data.tokenization import Sample, pieces
from data.training_split import with_system
from store.i18n import N_, _
from store.local_time import local_minute
from store.records import Preference, Record, Verdict
from tui.text_format import harmless
from tui.views.record_list import thumb

if TYPE_CHECKING:
    from data.tokenization import Tokenizer

_MAX_CHARACTERS = 20_000
"""Most characters of a text to show; laying out more would block the screen."""

_ROLES = {"system": N_("System"), "user": N_("You"), "assistant": "Tutee"}


@dataclass(frozen=True)
class TextView:
    heading: str
    text: str
    good: bool | None = None
    """Whether to learn or to avoid it, if known."""


@dataclass(frozen=True)
class DetailView:
    title: str
    prompt: tuple[TextView, ...]
    replies: tuple[TextView, ...]
    facts: tuple[tuple[str, str], ...]
    """(name, value) pairs: origin, feedback, and versions that learned it."""
    problems: tuple[str, ...] = ()
    """Findings of the check."""


@dataclass(frozen=True)
class MaskView:
    """The tokens of one sample."""

    heading: str
    pieces: tuple[tuple[str, bool], ...]
    """(token text, whether it carries loss) pairs."""
    good: bool = True
    """False for a reply that the model is pushed away from."""


def detail_view(record: Record, task: str, learned: str, problems: Sequence[str]) -> DetailView:
    """Build the view of a record; `learned` names the versions that learned it."""
    return DetailView(
        title=f"{_(record.kind).capitalize()} {thumb(record)}".strip(),
        prompt=tuple(
            TextView(_(_ROLES[message.role]), _bounded(message.content))
            for message in record.prompt
        ),
        replies=tuple(_replies(record)),
        facts=tuple(
            (name, harmless(value)) for name, value in _facts(record, task, learned) if value
        ),
        problems=tuple(map(harmless, problems)),
    )


def mask_views(
    record: Record, tokenizer: "Tokenizer", system_prompt: str, limit: int
) -> tuple[MaskView, ...]:
    """Tokenize a record as training does, once for each of its replies.

    Args:
        limit: Tokens that a sample may have, from `core.runs.record_lengths.limit`.

    Raises:
        TuteeError: the model's template rejects this conversation.
    """
    prompt = with_system(record.prompt, system_prompt)
    samples = fit_samples(tokenizer, prompt, _texts(record), limit)
    return tuple(
        _mask(reply, tokenizer, sample)
        for reply, sample in zip(_replies(record), samples, strict=True)
    )


def _mask(reply: TextView, tokenizer: "Tokenizer", sample: Sample) -> MaskView:
    tokens, good = len(sample.input_ids), reply.good is not False
    title = _("{heading}: {trained} of {tokens} tokens are learned")
    if not good:
        title = _("{heading}: pushed away from {trained} of {tokens} tokens")
    title = title.format(heading=reply.heading, trained=tokens - sample.reply_start, tokens=tokens)
    shown = ((harmless(piece.text), piece.trained) for piece in pieces(tokenizer, sample))
    return MaskView(title, tuple(shown), good)


def _texts(record: Record) -> list[str]:
    if isinstance(record, Preference):
        return [record.chosen, record.rejected]
    return [record.completion]


def _replies(record: Record) -> list[TextView]:
    texts = [_bounded(text) for text in _texts(record)]
    if isinstance(record, Preference):
        chosen, rejected = texts
        return [
            TextView(_("Chosen"), chosen, good=True),
            TextView(_("Rejected"), rejected, good=False),
        ]
    good = record.label if isinstance(record, Verdict) else True
    return [TextView(_("Reply"), texts[0], good=good)]


def _facts(record: Record, task: str, learned: str) -> list[tuple[str, str]]:
    origin = record.origin
    sampling = origin.sampling
    verdict = record if isinstance(record, Verdict) else None
    return [
        (_("Reasons"), _(", ").join(map(_, verdict.reasons)) if verdict else ""),
        (_("Comment"), record.comment),
        (_("Task"), _(task)),
        (_("When"), local_minute(record.created)),
        (_("Source"), origin.source),
        (_("Model"), " · ".join(filter(None, (origin.model, (origin.revision or "")[:12])))),
        (_("Version"), origin.adapter or ""),
        (
            _("Sampling"),
            _("temperature {temperature:g}, top-p {top_p:g}, seed {seed}").format(
                temperature=sampling.temperature, top_p=sampling.top_p, seed=origin.seed
            )
            if sampling
            else "",
        ),
        (_("Stopped"), _("before it was complete") if origin.stopped else ""),
        (_("Learned in"), learned or _("no version yet")),
        (_("ID"), record.id),
    ]


def _bounded(text: str) -> str:
    if len(text) <= _MAX_CHARACTERS:
        return harmless(text)
    return _("{text}… ({count:,} more characters)").format(
        text=harmless(text[:_MAX_CHARACTERS]), count=len(text) - _MAX_CHARACTERS
    )
