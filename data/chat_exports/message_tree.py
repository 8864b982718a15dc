"""From another program's messages to a conversation of ours, and to what its thumbs teach.

Every program keeps a tree: each message names the one it follows. Its own machinery (hidden
messages, tool calls, errors, empty replies) is passed over, so that what follows a passed message
follows the one before it. Two messages of one role in a row become one, because chat templates
know turns only in alternation. Where something that a reply rests on was left out (an image, a
tool's output, a message that is missing), the reply is kept to be read but not learned: it is
`incomplete`, and a thumb on it is refused. Learning a reply from half of its conversation is worse
than not learning it.

Nothing is recursive: conversations of any depth are read, and circles are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from data.chat_exports.fields import title
from data.chat_exports.ratings import Thumb
from data.chat_exports.skipped import SkippedParts
from data.formats.common import ParsedRow, RowError, not_empty, prompt, stable_id
from store.i18n import _
from store.records import (
    ChatMessage,
    Conversation,
    ImportedConversation,
    Instruction,
    Message,
    Origin,
    Record,
    Role,
    Verdict,
    new_id,
    now,
)


@dataclass(frozen=True)
class SourceMessage:
    """A message as another program kept it."""

    id: str
    parent: str | None
    role: Role | None
    """None: part of the machinery, which is passed over."""
    content: str = ""
    created: datetime | None = None
    model: str | None = None
    stopped: bool = False
    thumb: Thumb | None = None
    lacks: str = ""
    """What could not be taken of it, in plain English words; whatever follows rests on that."""
    failed: str = ""
    """Why it is not kept, where nothing rests on it."""


@dataclass(frozen=True)
class SourceConversation:
    """The conversation that messages were said in."""

    program: str
    id: str
    origin: Origin
    title: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    current: str | None = None
    """The message whose way is the conversation's path; the newest where this is not known."""
    system: str = ""
    """The system prompt, where it is kept beside the messages."""

    @property
    def conversation_id(self) -> str:
        return stable_id(self.program, self.id)


def parsed(source: SourceConversation, said: Sequence[SourceMessage]) -> ParsedRow:
    """The conversation, and a verdict for each thumb (with an instruction for each 👍).

    Raises:
        RowError: nobody asks in it, or nobody replies.
    """
    growth = _TreeBuilder(source, said)
    _check(growth)
    messages = _messages(source, growth.kept)
    records = tuple(_judged(growth, {message.id: message for message in messages}))
    return ParsedRow(
        records,
        (ImportedConversation(_conversation(source, messages), messages),),
        growth.left.told(),
        frozenset(one.id for one in growth.kept if one.incomplete and one.role == "assistant"),
    )


def identity(said: Sequence[SourceMessage]) -> str:
    """An id for a conversation that has none: what is said in it."""
    return stable_id(*(f"{one.role}:{one.content}" for one in said))


def ordered(parents: Mapping[str, str | None], current: str | None) -> list[str]:
    """Ids so that parents come first and the end of the way through `current` comes last.

    An id whose parent is not among them is a root; those that go round in a circle are left out.
    """
    children: dict[str | None, list[str]] = {}
    for one, parent in parents.items():
        children.setdefault(parent if parent in parents else None, []).append(one)
    way: set[str] = set()
    while current is not None and current in parents and current not in way:
        way.add(current)
        current = parents[current]
    for siblings in children.values():
        siblings.sort(key=way.__contains__)
    order: list[str] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        order.append(waiting.pop())
        waiting.extend(reversed(children.get(order[-1], ())))
    return order


@dataclass
class _Node:
    """A message of the conversation to be."""

    id: str
    said: SourceMessage
    role: Role
    parent: "_Node | None"
    begins: "_Node | None" = None
    """The message of the same role just before it, which is its beginning."""
    incomplete: bool = False
    followed: bool = False
    continued: bool = False

    @property
    def content(self) -> str:
        parts: list[str] = []
        part: _Node | None = self
        while part:
            parts.append(part.said.content)
            part = part.begins
        return "\n\n".join(reversed(parts))


class _TreeBuilder:
    """The tree as it is kept, grown from its roots, and what was left out on the way."""

    def __init__(self, source: SourceConversation, said: Sequence[SourceMessage]) -> None:
        self._source = source
        self.left = SkippedParts()
        self._said: dict[str, SourceMessage] = {}
        for one in said:
            if self._said.setdefault(one.id, one) is not one:
                self.left.out("message", _("another one has its id"))
        self._last: dict[str, _Node | None] = {}
        """The kept message at the end of the way to each one."""
        self._gaps: set[str] = set()
        """Messages at which something is lacking, or before."""
        self._grown: list[_Node] = []
        self._first = self._system()
        self._grow()
        self.kept = [one for one in self._grown if one.followed or not one.continued]
        """Parents first, the end of the path last."""
        self.thumbed = [one for one in self._grown if one.said.thumb]

    def _system(self) -> _Node | None:
        if not self._source.system.strip():
            return None
        said = SourceMessage("", None, "system", self._source.system, self._source.created)
        return self._keep(said, "system", None)

    def _grow(self) -> None:
        parents = {one.id: one.parent for one in self._said.values()}
        order = ordered(parents, self._source.current or _newest(self._said.values()))
        self.left.out("message", _("it follows itself in a circle"), len(parents) - len(order))
        for one in (self._said[identity] for identity in order):
            before = self._before(one)
            self._last[one.id] = before
            usable = one.role if one.content.strip() and not one.failed else None
            if one.lacks or one.failed:
                self.left.out("part" if usable else "message", _(one.failed or one.lacks))
            if one.lacks:
                self._gaps.add(one.id)
            if usable:
                self._last[one.id] = self._add(one, usable, before)

    def _before(self, one: SourceMessage) -> _Node | None:
        if one.parent is None:
            return self._first
        if one.parent not in self._said:
            self.left.out("earlier message", _("it is not in the file"))
            self._gaps.add(one.id)
            return self._first
        if one.parent in self._gaps:
            self._gaps.add(one.id)
        return self._last[one.parent]

    def _add(self, one: SourceMessage, role: Role, before: _Node | None) -> _Node | None:
        if role == "system" and before:
            if before.role != "system":
                self.left.out("message", _("a system prompt amid the conversation"))
                self._gaps.add(one.id)
                return before
            if before.content == one.content:
                return before
        return self._keep(one, role, before)

    def _keep(self, one: SourceMessage, role: Role, before: _Node | None) -> _Node:
        kept = _Node(
            stable_id(self._source.program, self._source.id, one.id),
            one,
            role,
            before,
            incomplete=one.id in self._gaps,
        )
        if before and before.role == role:
            kept.parent, kept.begins = before.parent, before
            before.continued = True
        elif before:
            before.followed = True
        self._grown.append(kept)
        return kept


def _newest(said: Iterable[SourceMessage]) -> str | None:
    """The last message that says something; by time where times are known."""
    speaking = [one for one in said if one.content.strip()]
    dated = [one for one in speaking if one.created]
    if len(dated) < len(speaking):
        return speaking[-1].id
    return max(reversed(dated), key=_time).id if dated else None


def _time(said: SourceMessage) -> float:
    return said.created.timestamp() if said.created else 0.0


def _check(growth: _TreeBuilder) -> None:
    roles = {one.role for one in growth.kept}
    for role, missing in (("user", _("no user message")), ("assistant", _("no reply"))):
        if role not in roles:
            raise RowError(_("; ").join((missing, *growth.left.told())))


def _messages(source: SourceConversation, kept: Sequence[_Node]) -> tuple[Message, ...]:
    """The messages; one without a time has that of the message before it."""
    times = [one.said.created for one in kept if one.said.created]
    start = source.created or min(times, default=None) or now()
    made: dict[str, Message] = {}
    for one in kept:
        parent = made[one.parent.id] if one.parent else None
        origin = {"model": one.said.model, "stopped": one.said.stopped}
        made[one.id] = Message(
            id=one.id,
            conversation_id=source.conversation_id,
            parent_id=parent.id if parent else None,
            role=one.role,
            content=one.content,
            created=one.said.created or (parent.created if parent else start),
            origin=source.origin.model_copy(update=origin) if one.role == "assistant" else None,
        )
    return tuple(made.values())


def _conversation(source: SourceConversation, messages: Sequence[Message]) -> Conversation:
    asked = next(message for message in messages if message.role == "user")
    return Conversation(
        id=source.conversation_id,
        title=source.title or title(asked.content),
        source=source.origin.source,
        created=source.created or min(message.created for message in messages),
        updated=source.updated or max(message.created for message in messages),
    )


def _judged(growth: _TreeBuilder, messages: Mapping[str, Message]) -> Iterator[Record]:
    for one in growth.thumbed:
        try:
            yield from _records(one, messages)
        except RowError as error:
            growth.left.out("thumb", str(error))


def _records(one: _Node, messages: Mapping[str, Message]) -> tuple[Record, ...]:
    thumb, reply = one.said.thumb, messages.get(one.id)
    assert thumb
    if one.role != "assistant":
        raise RowError(_("it is not about a reply"))
    if reply is None:
        raise RowError(_("it is about one part of a reply"))
    if one.incomplete:
        raise RowError(_("the reply rests on something that was left out"))
    return rating_records(reply, _turns(reply, messages), thumb, message_id=reply.id)


def rating_records(
    reply: Message, turns: tuple[ChatMessage, ...], thumb: Thumb, message_id: str | None = None
) -> tuple[Record, ...]:
    """A verdict, and for a 👍 an instruction: one act, as in a chat of our own.

    Args:
        reply: What was judged.
        turns: Everything before it.
        thumb: The judgement.
        message_id: The reply's own, where its chat is kept too.

    Raises:
        RowError: nothing can be learned from it.
    """
    about = {
        "act": new_id(),
        "created": thumb.created or reply.created,
        "conversation_id": reply.conversation_id,
        "message_id": message_id,
        "origin": reply.origin or Origin(),
        "prompt": prompt(turns),
    }
    completion = not_empty(reply.content)
    verdict = Verdict(
        **about,
        completion=completion,
        label=thumb.label,
        reasons=thumb.reasons,
        comment=thumb.comment,
    )
    return (verdict, Instruction(**about, completion=completion)) if thumb.label else (verdict,)


def _turns(reply: Message, messages: Mapping[str, Message]) -> tuple[ChatMessage, ...]:
    """Everything before a reply, oldest first."""
    turns: list[ChatMessage] = []
    parent = reply.parent_id
    while parent is not None:
        turns.append(ChatMessage(role=messages[parent].role, content=messages[parent].content))
        parent = messages[parent].parent_id
    return tuple(reversed(turns))
