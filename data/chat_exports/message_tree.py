"""From another program's messages to an imported conversation and the records of its thumbs.

Every program stores a tree: each message names the one it follows. The program's internals (hidden
messages, tool calls, errors, empty replies) are skipped, so that what follows a skipped message
follows the one before it. Consecutive messages of one role are merged, because chat templates
require alternating roles. If something that a reply depends on was left out (an image, a tool's
output, a missing message), the reply is kept to be read but not learned: it is `incomplete`, and a
thumb on it is refused. Learning a reply from half of its conversation is worse than not learning
it.

Nothing is recursive: conversations of any depth can be read, and cycles are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from data.chat_exports.fields import title
from data.chat_exports.ratings import Thumb
from data.chat_exports.skipped import SkippedParts
from data.formats.common import ParsedRow, RowError, checked_prompt, checked_reply, stable_id
from data.thoughts import split_thoughts
from store.i18n import N_, _
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
    """A message as another program stored it."""

    id: str
    parent: str | None
    role: Role | None
    """None: internal to the program, and skipped."""
    content: str = ""
    created: datetime | None = None
    model: str | None = None
    stopped: bool = False
    thumb: Thumb | None = None
    lacks: str = ""
    """What of it could not be taken, in plain English; everything after it depends on that."""
    failed: str = ""
    """Why it is skipped, if nothing depends on it."""
    thought: bool = False
    """Whether the program marked thoughts in its text, which were left out."""


@dataclass(frozen=True)
class SourceConversation:
    program: str
    id: str
    origin: Origin
    title: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    current: str | None = None
    """A message on the conversation's path; if unknown, the newest one."""
    system: str = ""
    """The system prompt, if it is stored apart from the messages."""

    @property
    def conversation_id(self) -> str:
        return stable_id(self.program, self.id)


def read_tree(source: SourceConversation, given: Sequence[SourceMessage]) -> ParsedRow:
    """Return the conversation, and a verdict for each thumb (with an instruction for each 👍);
    raise RowError without a user message or a reply."""
    tree = _TreeBuilder(source, given)
    _check(tree)
    messages = _stored_messages(source, tree.kept)
    records = tuple(_rated(tree, {message.id: message for message in messages}))
    return ParsedRow(
        records,
        (ImportedConversation(_conversation(source, messages), messages),),
        tree.skipped.sentences(),
        frozenset(one.id for one in tree.kept if one.incomplete and one.role == "assistant"),
        thoughts=tree.thoughts or any(one.thought for one in given),
    )


def identity(messages: Sequence[SourceMessage]) -> str:
    """Return an id for a conversation without one: a hash of its messages."""
    return stable_id(*(f"{one.role}:{one.content}" for one in messages))


def ordered(parents: Mapping[str, str | None], current: str | None) -> list[str]:
    """Return the ids with parents first, and the end of the path through `current` last.

    An id whose parent is not among them is a root; cycles are left out.
    """
    children: dict[str | None, list[str]] = {}
    for one, parent in parents.items():
        children.setdefault(parent if parent in parents else None, []).append(one)
    path: set[str] = set()
    while current is not None and current in parents and current not in path:
        path.add(current)
        current = parents[current]
    for siblings in children.values():
        siblings.sort(key=path.__contains__)
    order: list[str] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        order.append(waiting.pop())
        waiting.extend(reversed(children.get(order[-1], ())))
    return order


@dataclass
class _Node:
    id: str
    message: SourceMessage
    role: Role
    parent: "_Node | None"
    begins: "_Node | None" = None
    """The message of the same role just before it, which this one continues."""
    incomplete: bool = False
    followed: bool = False
    continued: bool = False

    @property
    def content(self) -> str:
        parts: list[str] = []
        part: _Node | None = self
        while part:
            parts.append(part.message.content)
            part = part.begins
        return "\n\n".join(reversed(parts))


class _TreeBuilder:
    """Builds the resulting tree from its roots, and notes what was skipped."""

    def __init__(self, source: SourceConversation, messages: Sequence[SourceMessage]) -> None:
        self._source = source
        self.skipped = SkippedParts()
        self._messages: dict[str, SourceMessage] = {}
        for one in messages:
            if self._messages.setdefault(one.id, one) is not one:
                self.skipped.add("message", _("another message has its id"))
        self._last: dict[str, _Node | None] = {}
        """For each source message, the last node on its path."""
        self._gaps: set[str] = set()
        """Source messages that lack something, or follow one that does."""
        self._nodes: list[_Node] = []
        self.thoughts = False
        """Whether thoughts were cut out of a reply."""
        self._first = self._system()
        self._grow()
        self.kept = [one for one in self._nodes if one.followed or not one.continued]
        """Parents first, the end of the path last."""
        self.thumbed = [one for one in self._nodes if one.message.thumb]

    def _system(self) -> _Node | None:
        if not self._source.system.strip():
            return None
        prompt = SourceMessage("", None, "system", self._source.system, self._source.created)
        return self._keep(prompt, "system", None)

    def _grow(self) -> None:
        parents = {one.id: one.parent for one in self._messages.values()}
        order = ordered(parents, self._source.current or _newest(self._messages.values()))
        self.skipped.add("message", _("it is part of a cycle"), len(parents) - len(order))
        for one in (self._messages[identity] for identity in order):
            one = self._without_thoughts(one)
            before = self._before(one)
            self._last[one.id] = before
            usable = one.role if one.content.strip() and not one.failed else None
            if one.lacks or one.failed:
                self.skipped.add("part" if usable else "message", _(one.failed or one.lacks))
            if one.lacks:
                self._gaps.add(one.id)
            if usable:
                self._last[one.id] = self._add(one, usable, before)

    def _without_thoughts(self, one: SourceMessage) -> SourceMessage:
        if one.role != "assistant":
            return one
        thoughts, reply = split_thoughts(one.content)
        self.thoughts |= bool(thoughts)
        if one.content.strip() and not reply.strip():
            return replace(one, content="", failed=one.failed or N_("it is nothing but thoughts"))
        return replace(one, content=reply)

    def _before(self, one: SourceMessage) -> _Node | None:
        if one.parent is None:
            return self._first
        if one.parent not in self._messages:
            self.skipped.add("earlier message", _("it is not in the file"))
            self._gaps.add(one.id)
            return self._first
        if one.parent in self._gaps:
            self._gaps.add(one.id)
        return self._last[one.parent]

    def _add(self, one: SourceMessage, role: Role, before: _Node | None) -> _Node | None:
        if role == "system" and before:
            if before.role != "system":
                self.skipped.add("message", _("a system prompt in the middle of the conversation"))
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
        self._nodes.append(kept)
        return kept


def _newest(messages: Iterable[SourceMessage]) -> str | None:
    """The last message with text; by time if all times are known."""
    with_text = [one for one in messages if one.content.strip()]
    if all(one.created for one in with_text):
        with_text.sort(key=lambda one: one.created.timestamp() if one.created else 0.0)
    return with_text[-1].id if with_text else None


def _check(tree: _TreeBuilder) -> None:
    roles = {one.role for one in tree.kept}
    for role, missing in (("user", _("no user message")), ("assistant", _("no reply"))):
        if role not in roles:
            raise RowError(_("; ").join((missing, *tree.skipped.sentences())))


def _stored_messages(source: SourceConversation, kept: Sequence[_Node]) -> tuple[Message, ...]:
    """The stored messages; one without a time gets that of the message before it."""
    times = [one.message.created for one in kept if one.message.created]
    start = source.created or min(times, default=None) or now()
    made: dict[str, Message] = {}
    for one in kept:
        parent = made[one.parent.id] if one.parent else None
        origin = {"model": one.message.model, "stopped": one.message.stopped}
        made[one.id] = Message(
            id=one.id,
            conversation_id=source.conversation_id,
            parent_id=parent.id if parent else None,
            role=one.role,
            content=one.content,
            created=one.message.created or (parent.created if parent else start),
            origin=source.origin.model_copy(update=origin) if one.role == "assistant" else None,
        )
    return tuple(made.values())


def _conversation(source: SourceConversation, messages: Sequence[Message]) -> Conversation:
    question = next(message for message in messages if message.role == "user")
    return Conversation(
        id=source.conversation_id,
        title=source.title or title(question.content),
        source=source.origin.source,
        created=source.created or min(message.created for message in messages),
        updated=source.updated or max(message.created for message in messages),
    )


def _rated(tree: _TreeBuilder, messages: Mapping[str, Message]) -> Iterator[Record]:
    for one in tree.thumbed:
        try:
            yield from _records(one, messages)
        except RowError as error:
            tree.skipped.add("thumb", str(error))


def _records(one: _Node, messages: Mapping[str, Message]) -> tuple[Record, ...]:
    thumb, reply = one.message.thumb, messages.get(one.id)
    assert thumb
    if one.role != "assistant":
        raise RowError(_("it is not about a reply"))
    if reply is None:
        raise RowError(_("it is about one part of a reply"))
    if one.incomplete:
        raise RowError(_("the reply depends on something that was left out"))
    return rating_records(reply, _prompt_of(reply, messages), thumb, message_id=reply.id)


def rating_records(
    reply: Message, before: tuple[ChatMessage, ...], thumb: Thumb, message_id: str | None = None
) -> tuple[Record, ...]:
    """Return a verdict, and for a 👍 an instruction with the same `act`, as in our own chat; give
    the reply's `message_id` if its conversation is kept too. Raise RowError if it has no use."""
    about = {
        "act": new_id(),
        "created": thumb.created or reply.created,
        "conversation_id": reply.conversation_id,
        "message_id": message_id,
        "origin": reply.origin or Origin(),
        "prompt": checked_prompt(before),
    }
    completion = checked_reply(reply.content)
    verdict = Verdict(
        **about,
        completion=completion,
        label=thumb.label,
        reasons=thumb.reasons,
        comment=thumb.comment,
    )
    return (verdict, Instruction(**about, completion=completion)) if thumb.label else (verdict,)


def _prompt_of(reply: Message, messages: Mapping[str, Message]) -> tuple[ChatMessage, ...]:
    before: list[ChatMessage] = []
    parent = reply.parent_id
    while parent is not None:
        before.append(ChatMessage(role=messages[parent].role, content=messages[parent].content))
        parent = messages[parent].parent_id
    return tuple(reversed(before))
