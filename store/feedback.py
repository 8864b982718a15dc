"""What feedback on a reply does to its records. Pure: nothing here reads or writes files.

One piece of feedback, a thumb or a correction, adds records that share an `act` id, and supersedes
the feedback it replaces: a thumb replaces the earlier thumb, a correction replaces the earlier
correction and an earlier 👍. It does not replace a 👎, which stays true of the original reply.
Feedback is always superseded as a whole, so undoing the latest live one restores exactly what was
there before it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from store.errors import TuteeError
from store.i18n import _
from store.records import (
    ChatMessage,
    Instruction,
    Message,
    Origin,
    Preference,
    Record,
    Verdict,
    new_id,
)


@dataclass(frozen=True)
class Feedback:
    label: bool | None = None
    """True for 👍, False for 👎."""
    reasons: tuple[str, ...] = ()
    comment: str = ""
    correction: str | None = None
    why: str = ""
    """The comment given with the correction."""
    preferred: bool = False
    """The reply was picked over others."""
    excluded: bool = False
    """None of its records are trained on."""
    undoable: bool = False


@dataclass(frozen=True)
class RecordChanges:
    """Records to add, to remove, and to replace by id."""

    added: tuple[Record, ...] = ()
    removed: tuple[Record, ...] = ()
    updated: tuple[Record, ...] = ()

    def applied_to(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """Return the records of the reply after the change, still oldest first."""
        gone = {record.id for record in self.removed}
        changed = {record.id: record for record in self.updated}
        kept = (changed.get(record.id, record) for record in records if record.id not in gone)
        return (*kept, *self.added)


@dataclass(frozen=True)
class JudgedReply:
    """A reply with its prompt and its existing records (oldest first)."""

    message: Message
    prompt: tuple[ChatMessage, ...]
    records: tuple[Record, ...]

    @property
    def live(self) -> list[Record]:
        return [record for record in self.records if record.superseded_by is None]

    def about(self, act: str) -> dict[str, Any]:
        """Return the fields that all records about this reply share."""
        return {
            "act": act,
            "conversation_id": self.message.conversation_id,
            "message_id": self.message.id,
            "origin": self.message.origin or Origin(),
            "prompt": self.prompt,
        }


def feedback_of(records: Sequence[Record]) -> Feedback:
    """Derive the current feedback from the records of one reply."""
    live = [record for record in records if record.superseded_by is None]
    verdict = _verdict(live)
    correction = _correction(live)
    return Feedback(
        label=verdict.label if verdict else None,
        reasons=verdict.reasons if verdict else (),
        comment=verdict.comment if verdict else "",
        correction=correction.completion if correction else None,
        why=correction.comment if correction else "",
        preferred=any(
            isinstance(record, Preference) and (correction is None or record.act != correction.act)
            for record in live
        ),
        excluded=bool(live) and all(record.excluded for record in live),
        undoable=bool(live),
    )


def _verdict(live: Sequence[Record]) -> Verdict | None:
    return next((record for record in live if isinstance(record, Verdict)), None)


def _correction(live: Sequence[Record]) -> Instruction | None:
    """The instruction that did not come with a thumb."""
    verdict = _verdict(live)
    thumb = verdict.act if verdict else None
    return next(
        (record for record in live if isinstance(record, Instruction) and record.act != thumb), None
    )


def thumb(reply: JudgedReply, label: bool, reasons: tuple[str, ...], comment: str) -> RecordChanges:
    """Give a 👍 or 👎; no change if the same thumb is there already.

    Raises:
        TuteeError: The reply is empty, or is corrected and given a 👍.
    """
    if not reply.message.content.strip():
        raise TuteeError(_("An empty reply cannot be rated."), _("You can correct it instead."))
    if label and _correction(reply.live):
        raise TuteeError(
            _("This reply is already corrected; the model will learn the correction."),
            _("Undo the correction first to rate the original reply."),
        )
    return _rated(reply, label, reasons, comment)


def _rated(
    reply: JudgedReply,
    label: bool,
    reasons: tuple[str, ...] = (),
    comment: str = "",
    replaced: Collection[str] = (),
) -> RecordChanges:
    """Replace the earlier thumb, and the acts in `replaced`, by this one."""
    earlier = _verdict(reply.live)
    same = earlier and (earlier.label, earlier.reasons, earlier.comment) == (
        label,
        reasons,
        comment,
    )
    if same and not replaced:
        return RecordChanges()
    act = new_id()
    completion = reply.message.content
    about = reply.about(act)
    verdict = Verdict(**about, completion=completion, label=label, reasons=reasons, comment=comment)
    liked = (Instruction(**about, completion=completion),) if label else ()
    gone = {*replaced, *([earlier.act] if earlier else [])}
    return RecordChanges(added=(verdict, *liked), updated=_supersede(reply.live, gone, act))


def explain(reply: JudgedReply, reasons: tuple[str, ...], comment: str) -> RecordChanges:
    """Add reasons to the current 👎 (or raise TuteeError without one); both are undone together."""
    verdict = _verdict(reply.live)
    if verdict is None or verdict.label:
        raise TuteeError(_("There is no 👎 to give reasons for."))
    if (verdict.reasons, verdict.comment) == (reasons, comment):
        return RecordChanges()
    explained = verdict.model_copy(update={"reasons": reasons, "comment": comment})
    return RecordChanges(updated=(explained,))


def correct(reply: JudgedReply, text: str, why: str = "") -> RecordChanges:
    """Give a better reply and why it is better; no change if the same correction is there already.

    The original as its own correction says that it is right: it becomes a 👍, which also replaces
    an earlier correction.

    Raises:
        TuteeError: The correction is empty.
    """
    if not text.strip():
        raise TuteeError(_("A correction cannot be empty."))
    earlier = _correction(reply.live)
    if text.strip() == reply.message.content.strip():
        return _rated(reply, True, comment=why, replaced={earlier.act} if earlier else set())
    if earlier and (earlier.completion, earlier.comment) == (text, why):
        return RecordChanges()
    act = new_id()
    verdict = _verdict(reply.live)
    replaced = {earlier.act} if earlier else set()
    if verdict and verdict.label:
        replaced.add(verdict.act)
    about = reply.about(act) | {"comment": why}
    original = reply.message.content
    better = Instruction(**about, completion=text)
    # There is nothing to prefer the correction over if the original is empty.
    pair = (Preference(**about, chosen=text, rejected=original),) if original.strip() else ()
    return RecordChanges(added=(better, *pair), updated=_supersede(reply.live, replaced, act))


def undo(reply: JudgedReply) -> RecordChanges:
    """Remove the latest live feedback (or raise TuteeError), and restore what it superseded."""
    if not reply.live:
        raise TuteeError(_("There is nothing to undo on this reply."))
    act = reply.live[-1].act
    return RecordChanges(
        removed=tuple(record for record in reply.records if record.act == act),
        updated=tuple(
            record.model_copy(update={"superseded_by": None})
            for record in reply.records
            if record.superseded_by == act
        ),
    )


def prefer(reply: JudgedReply, others: Sequence[str]) -> RecordChanges:
    """Prefer the reply to `others` with the same prompt; each of them makes a pair with it.

    Raises:
        TuteeError: The reply is empty, or there is nothing to prefer it to.
    """
    chosen = reply.message.content
    worse = [text for text in dict.fromkeys(others) if text.strip() and text != chosen]
    if not chosen.strip() or not worse:
        raise TuteeError(
            _("There is nothing to prefer this reply over."),
            _("The other replies are empty or the same."),
        )
    about = reply.about(new_id())
    return RecordChanges(
        added=tuple(Preference(**about, chosen=chosen, rejected=text) for text in worse)
    )


Picked = Literal["first", "second", "both", "neither"]
"""Which of two replies is good."""


@dataclass(frozen=True)
class Comparison:
    """Two replies to the same prompt, side by side. They need not be in any conversation."""

    prompt: tuple[ChatMessage, ...]
    replies: tuple[str, str]
    origins: tuple[Origin, Origin]
    conversation_id: str | None = None


def pick(comparison: Comparison, picked: Picked) -> tuple[Record, ...]:
    """Make a preference for the better reply, or a verdict on each if both are good or neither is.

    Raises:
        TuteeError: A reply is empty, or one is preferred over the same text.
    """
    first, second = comparison.replies
    if not first.strip() or not second.strip():
        raise TuteeError(
            _("An empty reply cannot be compared."), _("Ask again, or ask something else.")
        )
    act = new_id()

    def about(index: int) -> dict[str, Any]:
        return {
            "act": act,
            "conversation_id": comparison.conversation_id,
            "origin": comparison.origins[index],
            "prompt": comparison.prompt,
        }

    if picked in ("both", "neither"):
        return tuple(
            Verdict(**about(index), completion=reply, label=picked == "both")
            for index, reply in enumerate(dict.fromkeys(comparison.replies))
        )
    if first.strip() == second.strip():
        raise TuteeError(
            _("Both replies are the same, so neither is better."), _("↑ or ↓ rates them.")
        )
    better = 0 if picked == "first" else 1
    chosen, rejected = comparison.replies[better], comparison.replies[1 - better]
    return (Preference(**about(better), chosen=chosen, rejected=rejected),)


def deletion(records: Sequence[Record], ids: Collection[str]) -> RecordChanges:
    """Delete records for good. Unlike an undo, this brings nothing back: what a piece of feedback
    superseded goes with the last of its records."""
    gone = {record.id for record in records if record.id in ids}
    while True:
        left = {record.act for record in records if record.id not in gone}
        over = {record.act for record in records if record.id in gone} - left
        more = {record.id for record in records if record.superseded_by in over} - gone
        if not more:
            return RecordChanges(removed=tuple(record for record in records if record.id in gone))
        gone |= more


def restored(records: Sequence[Record], back: Sequence[Record]) -> tuple[Record, ...]:
    """Put deleted records back in their places; existing ones are left unchanged."""
    whole = list(records)
    there = {record.id for record in records}
    for record in sorted(back, key=lambda record: record.created):
        if record.id not in there:
            later = (n for n, other in enumerate(whole) if other.created > record.created)
            whole.insert(next(later, len(whole)), record)
    return tuple(whole)


def _supersede(live: Sequence[Record], acts: set[str], by: str) -> tuple[Record, ...]:
    return tuple(
        record.model_copy(update={"superseded_by": by}) for record in live if record.act in acts
    )


def dedup_key(record: Record) -> tuple[object, ...]:
    """Return what a record says, regardless of who said it and when. Equal keys mean duplicates."""
    match record:
        case Preference():
            return (record.kind, record.prompt, record.chosen, record.rejected)
        case Verdict():
            return (record.kind, record.prompt, record.completion, record.label)
        case _:
            return (record.kind, record.prompt, record.completion)
