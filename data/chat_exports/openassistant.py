"""Open Assistant's trees: prompts with ranked replies, rated by many people.

A reply becomes a verdict by the majority of its thumbs (`emojis`), with an instruction if that is
👍, as in our own chat. Among ranked siblings, the best is preferred to each of the others. So the
better side of every pair is worth imitating, which DPO needs, and the two differ as much as the
ranking says. Pairs of neighbors would be those on which raters disagree most, and all pairs would
repeat each reply so often that a reward model memorizes it.

No conversations: they are other people's, and are kept only for what they teach. Deleted messages
and those that reviewers refused are skipped with everything after them. The language field is
ignored: the language is detected from the text where it is needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from data.chat_exports.fields import items, key, mapping, name
from data.chat_exports.message_tree import rating_records
from data.chat_exports.ratings import Thumb
from data.chat_exports.skipped import SkippedParts
from data.formats.common import (
    Format,
    ParsedRow,
    Row,
    RowError,
    checked_pair,
    checked_prompt,
    checked_text,
    parse_time,
    stable_id,
)
from store.i18n import _
from store.records import ChatMessage, Message, Origin, Preference, Record, Role, now

_ROLES: dict[object, Role] = {"prompter": "user", "assistant": "assistant"}


class _Path(NamedTuple):
    """A message, linked to all before it."""

    message: ChatMessage
    before: "_Path | None"

    def messages(self) -> tuple[ChatMessage, ...]:
        messages: list[ChatMessage] = []
        path: _Path | None = self
        while path:
            messages.append(path.message)
            path = path.before
        return tuple(reversed(messages))


class _Reply(NamedTuple):
    message: Message
    rank: int | None
    up: int
    down: int
    replies: Sequence[Any]


def _matches(row: Row) -> bool:
    return {"message_tree_id", "prompt"} <= row.keys()


def _read(row: Row, origin: Origin) -> ParsedRow:
    skipped = SkippedParts()
    tree = stable_id("openassistant", key(row["message_tree_id"]) or "")
    records: list[Record] = []
    waiting: list[tuple[Sequence[Any], _Path | None]] = [((row["prompt"],), None)]
    while waiting:
        given, path = waiting.pop()
        siblings = list(_usable(given, tree, origin, skipped))
        replies = [one for one in siblings if one.message.role == "assistant"]
        if replies and path:
            records.extend(_records(replies, path.messages(), skipped))
        for one in reversed(siblings):
            message = ChatMessage(role=one.message.role, content=one.message.content)
            waiting.append((one.replies, _Path(message, path)))
    if not records:
        raise RowError(_("; ").join((_("no reply is rated"), *skipped.sentences())))
    return ParsedRow(tuple(records), refused=skipped.sentences())


def _usable(
    given: Sequence[Any], tree: str, origin: Origin, skipped: SkippedParts
) -> Iterator[_Reply]:
    for one in given:
        try:
            yield _reply(mapping(one), tree, origin)
        except RowError as error:
            skipped.add("message", str(error))


def _reply(given: Mapping[str, Any], tree: str, origin: Origin) -> _Reply:
    if given.get("deleted") is True:
        raise RowError(_("it was deleted"))
    if given.get("review_result") is False:
        raise RowError(_("its reviewers refused it"))
    role = given.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise RowError(_("it has no known role"))
    content = checked_text(given.get("text"), "text")
    if not content.strip():
        raise RowError(_("it is empty"))
    emojis, rank = mapping(given.get("emojis")), given.get("rank")
    message = Message(
        conversation_id=tree,
        role=_ROLES[role],
        content=content,
        created=parse_time(given.get("created_date")) or now(),
        origin=origin.model_copy(update={"model": name(given.get("model_name"))}),
    )
    ranked = rank if isinstance(rank, int) and not isinstance(rank, bool) else None
    up, down = _count(emojis.get("+1")), _count(emojis.get("-1"))
    return _Reply(message, ranked, up, down, items(given.get("replies")))


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _records(
    replies: Sequence[_Reply], prompt: tuple[ChatMessage, ...], skipped: SkippedParts
) -> Iterator[Record]:
    for one in replies:
        if one.up == one.down:
            skipped.add("verdict", _("as many thumbs up as down"), int(one.up > 0))
            continue
        try:
            yield from rating_records(one.message, prompt, Thumb(one.up > one.down))
        except RowError as error:
            skipped.add("verdict", str(error))
    ranked = [(one.rank, one.message) for one in replies if one.rank is not None]
    if not ranked:
        return
    best_rank, best = min(ranked, key=lambda one: one[0])
    for rank, other in ranked:
        if rank == best_rank:
            continue
        try:
            yield _preference(best, other, prompt)
        except RowError as error:
            skipped.add("preference", str(error))


def _preference(best: Message, other: Message, prompt: tuple[ChatMessage, ...]) -> Preference:
    chosen, rejected = checked_pair(best.content, other.content)
    return Preference(
        conversation_id=best.conversation_id,
        created=best.created,
        origin=best.origin or Origin(),
        prompt=checked_prompt(prompt),
        chosen=chosen,
        rejected=rejected,
    )


OPENASSISTANT = Format("openassistant", _matches, _read)
