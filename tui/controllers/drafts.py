"""Draft a correction with the model from an instruction ("shorter", "in Chinese"), without widgets.

The draft is only a proposal: nothing is stored before the user saves it as their own.
"""

from collections.abc import Callable

from core.events import ReplyDone, ReplyFailed, TokenChunk
from store.errors import TuteeError
from store.i18n import _
from store.records import ChatMessage, new_id
from tui.services import Services, random_seed

_AGAIN = "Write your last reply again, {}. Say nothing but the new reply."


class CorrectionDraft:
    """A correction of one reply, drafted by the active adapter version."""

    def __init__(
        self, services: Services, reply_id: str, seed: Callable[[], int] = random_seed
    ) -> None:
        self._services = services
        self._reply_id = reply_id
        self._seed = seed
        self._id = ""
        self.text = ""
        """The draft so far."""

    @property
    def writing(self) -> bool:
        return bool(self._id)

    def asked(self, request_id: str) -> bool:
        """Whether `request_id` is the draft in progress."""
        return request_id == self._id

    def ask(self, text: str, instruction: str) -> None:
        """Start a draft from `text`, the reply as edited so far; its events go to `on_reply`.

        Raises:
            TuteeError: the instruction is empty, or the model is still loading.
        """
        adapters = self._services.chat.adapters
        if not instruction.strip():
            raise TuteeError(
                _("Say how to rewrite it."), _("For example “shorter” or “in Chinese”.")
            )
        if adapters is None:
            raise TuteeError(_("The model is still loading."), _("It can draft once it is ready."))
        self.stop()
        self._id, self.text = new_id(), ""
        prompt = self._services.repository.prompt_for(self._reply_id)
        messages = (*prompt, *_asked(text, instruction))
        sampling = self._services.config.sampling
        self._services.chat.answer(self._id, adapters.active(), messages, sampling, self._seed())

    def stop(self) -> None:
        if self._id:
            self._id = ""
            self._services.chat.stop_answers()

    def on_reply(self, event: TokenChunk | ReplyDone | ReplyFailed) -> None:
        match event:
            case TokenChunk():
                self.text += event.text
            case ReplyDone():
                self._id, self.text = "", event.text.strip()
            case ReplyFailed():
                self._id, self.text = "", ""


def _asked(text: str, instruction: str) -> tuple[ChatMessage, ...]:
    asked = ChatMessage(role="user", content=_AGAIN.format(instruction.strip().rstrip(".。!")))
    if not text.strip():  # some chat templates reject an empty reply
        return (asked,)
    return ChatMessage(role="assistant", content=text), asked
