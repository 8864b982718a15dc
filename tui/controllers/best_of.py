"""The last reply drawn again several times, without any widget: drawn, ranked, picked.

The reward model ranks and the person picks; the picked reply becomes the one that stands, beside
the one that was there, and makes a pair with every other. Only the last reply of a chat is drawn
again, because whatever was said after a reply belongs to that reply.
"""

from pathlib import Path

from core.events import CandidatesRanked
from store.errors import TuteeError
from store.i18n import _
from store.records import Origin, new_id
from tui.controllers.open_conversation import Exchange
from tui.services import Services, random_seed
from tui.text_format import counted

COUNT = 4


class Candidates:
    """One person picking the best of several replies.

    Args:
        services: Who draws and ranks them, and where they are kept.
        exchange: The last question of the chat that is open, and its reply.

    Raises:
        TuteeError: there is no reward model that passed its gate, or the model is still loading.
    """

    def __init__(self, services: Services, exchange: Exchange) -> None:
        self._services = services
        self.exchange = exchange
        self.id = new_id()
        self.ranked: CandidatesRanked | None = None
        self.reward_model, self._directory = self._judge()

    def _judge(self) -> tuple[str, Path]:
        """The latest reward model and where it is."""
        adapters = self._services.chat.adapters
        if adapters is None:
            raise TuteeError(
                _("The model is still loading."), _("Try again as soon as it is ready.")
            )
        trusted = adapters.trusted_reward_model()
        if trusted is None:
            rewards = adapters.versions("reward")
            title = _(
                "Replies are ranked by a reward model that can be trusted: there is none yet."
            )
            if rewards:
                title = _(
                    "Replies are ranked by a reward model that can be trusted: {version} did not"
                    " pass its gate."
                ).format(version=rewards[-1].version)
            raise TuteeError(
                title,
                _("Correct and compare replies, and train one with F5."),
            )
        directory = adapters.path(trusted)
        assert directory is not None  # only the base has none
        return trusted, directory

    def draw(self) -> None:
        """Begin; `CandidatesRanked` or `ReplyFailed` tells the rest."""
        self._services.chat.best_of(
            self.id,
            self.exchange.prompt,
            self.exchange.reply.content,
            self._directory,
            self._services.config.sampling,
            random_seed(),
            COUNT,
        )

    def stop(self) -> None:
        """Draw no more."""
        self._services.chat.stop_answers()

    def pick(self, index: int) -> str:
        """Let one reply stand, preferred over the others; what was kept, in words.

        Raises:
            TuteeError: there is no other to prefer it over.
        """
        assert self.ranked is not None  # there is nothing to pick from before
        texts = [candidate.text for candidate in self.ranked.candidates]
        others = [text for place, text in enumerate(texts) if place != index]
        if not others:
            raise TuteeError(_("All replies were the same, so there is nothing to pick."))
        message_id = self._standing(texts[index])
        self._services.repository.prefer(message_id, others)
        return _(
            "It stands now, and is kept as {kept}. Ctrl+Z on the reply takes them back."
        ).format(kept=counted(len(others), "preference"))

    def _standing(self, text: str) -> str:
        """The message of `text`: the reply that was there, or a new one beside it."""
        reply, ranked = self.exchange.reply, self.ranked
        assert ranked is not None  # it comes from there
        if text == reply.content:
            return reply.id
        before = reply.origin or Origin()
        origin = before.model_copy(
            update={
                "adapter": ranked.adapter,
                "sampling": ranked.sampling,
                "seed": ranked.seed,
                "stopped": False,
            }
        )
        message = self._services.repository.add_message(
            reply.conversation_id, "assistant", text, beside=reply.id, origin=origin
        )
        return message.id
