"""Have the model write a correction as it is told ("shorter", "in Chinese"), without any widget.

The draft is only ever a proposal: nothing is kept before the person saves it as their own.
"""

from collections.abc import Callable

from core.events import ReplyDone, ReplyFailed, TokenChunk
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, new_id
from tui.services import Services, random_seed

_AGAIN = "Write your last reply again, {}. Say nothing but the new reply."


class Drafting:
    """One person having one reply written anew.

    Args:
        services: Who writes.
        reply_id: The reply that is corrected.
    """

    def __init__(
        self, services: Services, reply_id: str, seed: Callable[[], int] = random_seed
    ) -> None:
        self._services = services
        self._reply_id = reply_id
        self._seed = seed
        self._id = ""
        self.text = ""
        """What there is of the draft."""

    @property
    def writing(self) -> bool:
        return bool(self._id)

    def asked(self, request_id: str) -> bool:
        """Whether that is the draft under way."""
        return request_id == self._id

    def ask(self, text: str, instruction: str) -> None:
        """Begin a draft; `on_reply` tells how it goes on.

        Args:
            text: What the reply says so far, which may be the person's own version.
            instruction: What to change about it.

        Raises:
            TuteeError: there is no instruction, or the model is still loading.
        """
        adapters = self._services.chat.adapters
        if not instruction.strip():
            raise TuteeError(_("Say how it should be written."), _("“shorter”, or “in Chinese”."))
        if adapters is None:
            raise TuteeError(_("The model is still loading."), _("It can draft once it is ready."))
        self.stop()
        self._id, self.text = new_id(), ""
        turns = (*self._services.repository.prompt_for(self._reply_id), *_asked(text, instruction))
        sampling = self._services.config.sampling
        self._services.chat.answer(self._id, adapters.active(), turns, sampling, self._seed())

    def stop(self) -> None:
        """Let the draft be."""
        if self._id:
            self._id = ""
            self._services.chat.stop_answers()

    def on_reply(self, event: TokenChunk | ReplyDone | ReplyFailed) -> None:
        """Take up what the worker says of this draft."""
        match event:
            case TokenChunk():
                self.text += event.text
            case ReplyDone():
                self._id, self.text = "", event.text.strip()
            case ReplyFailed():
                self._id, self.text = "", ""


def _asked(text: str, instruction: str) -> tuple[ChatMessage, ...]:
    wish = instruction.strip().rstrip(".。!")
    asked = ChatMessage(role="user", content=_AGAIN.format(wish))
    if not text.strip():  # a template may refuse an empty reply
        return (asked,)
    return ChatMessage(role="assistant", content=text), asked
