"""Best of four without widgets: regenerate the last reply, rank the candidates, keep the best.

The reward model ranks and the user picks. The picked reply becomes the current one, beside the
previous reply, and forms a preference pair with every other candidate. Only the last reply can be
regenerated this way, because later messages depend on the reply they follow.
"""

from pathlib import Path

from core.events import CandidatesRanked
from store.errors import TuteeError
from store.i18n import _
from store.records import Origin, new_id
from tui.controllers.loaded_model import loaded_adapters
from tui.controllers.open_conversation import Exchange
from tui.services import Services, random_seed
from tui.text_format import counted

COUNT = 4


class BestOfController:
    """One round of picking the best of several replies.

    Raises:
        TuteeError: no reward model has passed its gate, or the model is still loading.
    """

    def __init__(self, services: Services, exchange: Exchange) -> None:
        self._services = services
        self.exchange = exchange
        self.id = new_id()
        self.ranked: CandidatesRanked | None = None
        self.reward_model, self._directory = _trusted_reward_model(services)

    def generate(self) -> None:
        """Request the candidates; `CandidatesRanked` or `ReplyFailed` follows."""
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
        self._services.chat.stop_answers()

    def pick(self, index: int) -> str:
        """Make a candidate the current reply, preferred over the others; return the toast.

        Raises:
            TuteeError: all candidates are the same.
        """
        assert self.ranked is not None  # nothing can be picked before
        texts = [candidate.text for candidate in self.ranked.candidates]
        others = [text for place, text in enumerate(texts) if place != index]
        if not others:
            raise TuteeError(_("All replies are the same, so there is nothing to pick."))
        self._services.repository.prefer(self._message_of(texts[index]), others)
        return _(
            "The reply is in use and kept as {kept}. {{key:reply.undo}} on the reply undoes this."
        ).format(kept=counted(len(others), "preference"))

    def _message_of(self, text: str) -> str:
        """Return the id of the existing reply if it has this text, else of a new one beside it."""
        reply, ranked = self.exchange.reply, self.ranked
        assert ranked is not None  # `text` comes from there
        if text == reply.content:
            return reply.id
        before = reply.origin or Origin()
        origin = before.model_copy(
            update={
                "adapter": ranked.adapter,
                "sampling": ranked.sampling,
                "seed": ranked.seed,
                "stopped": False,
                "recalled": (),
            }
        )
        message = self._services.repository.add_message(
            reply.conversation_id, "assistant", text, beside=reply.id, origin=origin
        )
        return message.id


def _trusted_reward_model(services: Services) -> tuple[str, Path]:
    """Return the latest reward model that passed its gate, and its directory."""
    adapters = loaded_adapters(services)
    version = adapters.trusted_reward_model()
    if version is None:
        rejected = adapters.versions("reward")
        title = _("Ranking replies needs a reward model, and there is none yet.")
        if rejected:
            title = _("Ranking replies needs a reward model, and {version} did not pass its gate.")
            title = title.format(version=rejected[-1].version)
        hint = _("Correct and compare replies, then train a reward model with {key:app.tune}.")
        raise TuteeError(title, hint)
    directory = adapters.path(version)
    assert directory is not None  # only the base has none
    return version, directory
