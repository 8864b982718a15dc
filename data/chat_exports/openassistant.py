"""Open Assistant's trees: prompts with ranked replies, judged by many people.

A reply becomes a verdict by the majority of its thumbs (`emojis`), with an instruction where that
is 👍, as in a chat of our own. Of ranked siblings the best is preferred to each other one: so every
pair has a reply worth imitating as its better side, which DPO needs, and differs by as much as the
ranking tells. Neighbours in rank are where raters disagree most, and all pairs would repeat each
reply so often that a reward model learns it by heart.

No chats: these are other people's conversations, kept for what they teach. Deleted messages and
those that reviewers refused are skipped with all that follows them. The language of a message is
not taken: it is told from the text wherever it is needed.
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
    differing,
    moment,
    prompt,
    stable_id,
    text,
)
from store.i18n import _
from store.records import ChatMessage, Message, Origin, Preference, Record, Role, now

_ROLES: dict[object, Role] = {"prompter": "user", "assistant": "assistant"}


class _Way(NamedTuple):
    """A message and, by its link, all before it."""

    turn: ChatMessage
    before: "_Way | None"

    def turns(self) -> tuple[ChatMessage, ...]:
        turns: list[ChatMessage] = []
        way: _Way | None = self
        while way:
            turns.append(way.turn)
            way = way.before
        return tuple(reversed(turns))


class _Reply(NamedTuple):
    message: Message
    rank: int | None
    up: int
    down: int
    replies: Sequence[Any]


def _matches(row: Row) -> bool:
    return {"message_tree_id", "prompt"} <= row.keys()


def _read(row: Row, origin: Origin) -> ParsedRow:
    left = SkippedParts()
    tree = stable_id("openassistant", key(row["message_tree_id"]) or "")
    records: list[Record] = []
    waiting: list[tuple[Sequence[Any], _Way | None]] = [((row["prompt"],), None)]
    while waiting:
        given, way = waiting.pop()
        siblings = list(_usable(given, tree, origin, left))
        replies = [one for one in siblings if one.message.role == "assistant"]
        if replies and way:
            records.extend(_learned(replies, way.turns(), left))
        for one in reversed(siblings):
            turn = ChatMessage(role=one.message.role, content=one.message.content)
            waiting.append((one.replies, _Way(turn, way)))
    if not records:
        raise RowError(_("; ").join((_("no reply is judged"), *left.told())))
    return ParsedRow(tuple(records), refused=left.told())


def _usable(
    given: Sequence[Any], tree: str, origin: Origin, left: SkippedParts
) -> Iterator[_Reply]:
    for one in given:
        try:
            yield _reply(mapping(one), tree, origin)
        except RowError as error:
            left.out("message", str(error))


def _reply(given: Mapping[str, Any], tree: str, origin: Origin) -> _Reply:
    if given.get("deleted") is True:
        raise RowError(_("it was deleted"))
    if given.get("review_result") is False:
        raise RowError(_("its reviewers refused it"))
    role = given.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise RowError(_("it has no known role"))
    content = text(given.get("text"), "text")
    if not content.strip():
        raise RowError(_("it is empty"))
    emojis, rank = mapping(given.get("emojis")), given.get("rank")
    message = Message(
        conversation_id=tree,
        role=_ROLES[role],
        content=content,
        created=moment(given.get("created_date")) or now(),
        origin=origin.model_copy(update={"model": name(given.get("model_name"))}),
    )
    ranked = rank if isinstance(rank, int) and not isinstance(rank, bool) else None
    up, down = _count(emojis.get("+1")), _count(emojis.get("-1"))
    return _Reply(message, ranked, up, down, items(given.get("replies")))


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _learned(
    replies: Sequence[_Reply], asked: tuple[ChatMessage, ...], left: SkippedParts
) -> Iterator[Record]:
    for one in replies:
        if one.up == one.down:
            left.out("verdict", _("as many thumbs up as down"), int(one.up > 0))
            continue
        try:
            yield from rating_records(one.message, asked, Thumb(one.up > one.down))
        except RowError as error:
            left.out("verdict", str(error))
    ranked = [(one.rank, one.message) for one in replies if one.rank is not None]
    if not ranked:
        return
    best_rank, best = min(ranked, key=lambda one: one[0])
    for rank, other in ranked:
        if rank == best_rank:
            continue
        try:
            yield _preference(best, other, asked)
        except RowError as error:
            left.out("preference", str(error))


def _preference(best: Message, other: Message, asked: tuple[ChatMessage, ...]) -> Preference:
    chosen, rejected = differing(best.content, other.content)
    return Preference(
        conversation_id=best.conversation_id,
        created=best.created,
        origin=best.origin or Origin(),
        prompt=prompt(asked),
        chosen=chosen,
        rejected=rejected,
    )


OPENASSISTANT = Format("openassistant", _matches, _read)
