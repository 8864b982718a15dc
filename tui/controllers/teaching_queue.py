"""Replies to rate one after another, without widgets.

A queue is made of the replies that have no feedback yet, or of prompts that the model answers
first. An answer becomes a chat of its own, so that it is rated like any other reply and is still
there tomorrow; a prompt that was answered before is not answered again. The next prompt is answered
while the user rates the current one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.events import ReplyDone, ReplyFailed, TokenChunk
from data.prompts import read_prompts
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, Message, Origin, new_id
from store.repository import Repository
from tui.commands.attachments import without_files
from tui.controllers.drafts import CorrectionDraft
from tui.controllers.feedback import ReplyFeedback
from tui.controllers.live_reply import PendingFeedback
from tui.services import Services, random_seed
from tui.text_format import harmless
from tui.views.chat import ReplyView
from tui.views.teaching_queue import QueueView

_AHEAD = 2
"""Prompts that are answered beyond the current one."""


@dataclass
class Item:
    """A reply, or a prompt that has none yet."""

    prompt: str = ""
    reply_id: str = ""
    request_id: str = ""
    """Of the answer in progress."""
    text: str = ""
    """Its text so far."""
    failed: bool = False


class TeachingQueue:
    """A queue, and the place of the user in it.

    Args:
        feedback: Stores what is taught.
        new_records: Counts the instructions to learn; None while the model loads.
    """

    def __init__(
        self,
        services: Services,
        items: Sequence[Item],
        feedback: ReplyFeedback,
        new_records: Callable[[], int | None],
    ) -> None:
        self._services = services
        self._items = list(items)
        self._feedback = feedback
        self._place = 0
        self._rated: list[tuple[int, str]] = []
        """Places that were rated, with the reply; the latest last."""
        self.new_records = new_records
        self.changed = False
        """Something was taught since the queue was opened."""

    @property
    def minimum(self) -> int:
        """Instructions that a training run needs."""
        return self._services.config.tuning.sft.minimum_records

    @property
    def _current(self) -> Item | None:
        return self._items[self._place] if self._place < len(self._items) else None

    def view(self) -> QueueView:
        item, place, count = self._current, self._place + 1, len(self._items)
        if item is None:
            return QueueView(place, count, state="end")
        if not item.reply_id:
            writing = "writing" if item.request_id else "waiting"
            state = "failed" if item.failed else writing
            return QueueView(place, count, harmless(item.prompt), reply=item.text, state=state)
        reply = self._feedback.reply(item.reply_id)
        before = self._services.repository.prompt_for(item.reply_id)
        earlier = sum(message.role != "system" for message in before) - 1
        question = harmless(without_files(reply.question))
        return QueueView(place, count, question, earlier, reply.shown, reply.adapter or "")

    # -- rating ----------------------------------------------------------------------------------

    def reply(self) -> ReplyView:
        """The reply to rate.

        Raises:
            TuteeError: the queue is at its end, or the reply is not complete yet.
        """
        item = self._current
        if item is None:
            raise TuteeError(_("There is nothing left to rate."))
        if not item.reply_id:
            raise TuteeError(_("The reply is still being written."), _("Rate it once it is there."))
        return self._feedback.reply(item.reply_id)

    def rate(self, feedback: PendingFeedback) -> None:
        """Store feedback on the current reply, and move to the next one."""
        reply = self.reply()
        feedback.store(self._services.repository, reply.id)
        self.changed = True
        self._rated.append((self._place, reply.id))
        self._place += 1

    def correct(self, reply_id: str, text: str, why: str) -> None:
        """Store a correction of the current reply, and move to the next one."""
        self._feedback.correct(reply_id, text, why)
        self.changed = True
        self._rated.append((self._place, reply_id))
        self._place += 1

    def skip(self) -> None:
        """Move on without feedback."""
        if self._current is not None:
            self._place += 1

    @property
    def undoable(self) -> bool:
        return bool(self._rated)

    def undo(self) -> None:
        """Undo the latest feedback, and return to its reply.

        Raises:
            TuteeError: nothing was taught here yet.
        """
        if not self._rated:
            raise TuteeError(_("Nothing was taught here yet, so there is nothing to undo."))
        place, reply_id = self._rated[-1]
        self._feedback.undo(reply_id)
        self._rated.pop()
        self._place = place
        self.changed = True

    def draft_for(self, reply_id: str) -> CorrectionDraft:
        return self._feedback.draft_for(reply_id)

    # -- answering -------------------------------------------------------------------------------

    def answer_ahead(self) -> None:
        """Request the answers to the next prompts, once a model has loaded."""
        adapters = self._services.chat.adapters
        if adapters is None:
            return
        for item in self._items[self._place : self._place + 1 + _AHEAD]:
            if not item.reply_id and not item.request_id and not item.failed:
                item.request_id, item.text = new_id(), ""
                self._services.chat.answer(
                    item.request_id,
                    adapters.active(),
                    (*self._system(), ChatMessage(role="user", content=item.prompt)),
                    self._services.config.sampling,
                    random_seed(),
                )

    def try_again(self) -> None:
        """Request the answer of the current prompt again, after it failed."""
        if self._current is not None:
            self._current.failed = False
        self.answer_ahead()

    def stop(self) -> None:
        """Stop all answers; those in progress are requested anew when the queue goes on."""
        for item in self._items:
            item.request_id = ""
        self._services.chat.stop_answers()

    def asked(self, request_id: str) -> bool:
        return any(item.request_id == request_id for item in self._items)

    def on_reply(self, event: TokenChunk | ReplyDone | ReplyFailed) -> None:
        """Follow an answer, and store it once it is complete."""
        item = next((item for item in self._items if item.request_id == event.request_id), None)
        if item is None:
            return
        match event:
            case TokenChunk():
                item.text += event.text
            case ReplyDone():
                item.reply_id, item.request_id = self._store(item.prompt, event).id, ""
                self.answer_ahead()
            case ReplyFailed():
                item.request_id, item.failed = "", True

    def _store(self, prompt: str, done: ReplyDone) -> Message:
        repository, config = self._services.repository, self._services.config
        adapters = self._services.chat.adapters
        conversation = repository.start_conversation(config.chat.system_prompt)
        repository.add_message(conversation.id, "user", prompt)
        origin = Origin(
            model=adapters.folder.id if adapters else None,
            revision=adapters.folder.revision if adapters else None,
            adapter=done.adapter,
            sampling=config.sampling,
            seed=done.seed,
            stopped=done.stopped,
            forgotten=done.forgotten,
        )
        return repository.add_message(
            conversation.id,
            "assistant",
            done.text,
            origin=origin,
            tokens=done.tokens,
            seconds=done.seconds,
        )

    def _system(self) -> tuple[ChatMessage, ...]:
        system = self._services.config.chat.system_prompt
        return (ChatMessage(role="system", content=system),) if system else ()


def queue_items(repository: Repository, wanted: str, folder: Path) -> list[Item]:
    """Return the items of a queue.

    Args:
        wanted: A file of prompts, or the source of an import (`import:NAME` or its name); empty for
            the unrated replies of all chats, the latest chat first.
        folder: Where relative paths start.

    Raises:
        TuteeError: there is nothing to rate there, or the file cannot be read.
    """
    if not wanted.strip():
        items = _unrated(repository, lambda source: True)
        if not items:
            raise TuteeError(
                _("There are no replies left to rate."),
                _("Ask something first, or give a file of prompts: /teach FILE"),
            )
        return items
    name = wanted.strip().removeprefix("import:")
    items = _unrated(repository, lambda source: source == f"import:{name}")
    if items:
        return items
    path = folder / Path(wanted.strip().strip('"')).expanduser()
    if not path.is_file():
        raise TuteeError(
            _("There is no file and no import named {name}.").format(name=wanted.strip()),
            _("/teach without a name goes through the replies of all chats."),
        )
    return _of_prompts(repository, read_prompts(path))


def _unrated(repository: Repository, of_source: Callable[[str], bool]) -> list[Item]:
    return [
        Item(reply_id=message.id)
        for conversation in repository.conversations()
        if of_source(conversation.source)
        for message in repository.messages(conversation.id)
        if _rateable(repository, message)
    ]


def _rateable(repository: Repository, message: Message) -> bool:
    return (
        message.role == "assistant"
        and bool(message.content.strip())
        and message.parent_id is not None
        and not repository.feedback(message.id).undoable
    )


def _of_prompts(repository: Repository, prompts: Iterable[str]) -> list[Item]:
    """Prompts as items; those answered in a chat of their own are not answered again."""
    answered: dict[str, Message] = {}
    for conversation in repository.conversations():
        messages = [m for m in repository.messages(conversation.id) if m.role != "system"]
        if len(messages) == 2 and messages[1].role == "assistant":
            answered.setdefault(messages[0].content, messages[1])
    items = [
        Item(prompt, answered[prompt].id if prompt in answered else "")
        for prompt in prompts
        if prompt not in answered or _rateable(repository, answered[prompt])
    ]
    if not items:
        raise TuteeError(_("Every reply to these prompts has been rated already."))
    return items
