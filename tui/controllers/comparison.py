"""Two replies side by side to one prompt, without any widget: asked, answered, judged.

They come from two versions, or are two samples of one. When it is blind, which is A is drawn anew
each time and told only after the choice. What is chosen is kept as a lesson like any other, and can
be taken back.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from core.adapters.manifest import BASE
from core.events import ReplyDone, ReplyFailed, TokenChunk
from store.errors import TuteeError
from store.feedback import Comparison, Picked
from store.i18n import _
from store.records import ChatMessage, Origin, Record, Sampling, new_id
from tui.commands.attachments import without_files
from tui.controllers.open_conversation import AskedQuestion
from tui.services import Services, random_seed
from tui.text_format import Noun, counted, harmless, one_line

SOURCE = "compare"
SAMPLES_TEMPERATURE = 0.8
"""The least at which two samples are drawn: those of a cold model are the same."""


@dataclass
class Side:
    """One version's reply."""

    version: str
    id: str = field(default_factory=new_id)
    text: str = ""
    done: ReplyDone | None = None


class Comparing:
    """One person comparing two versions.

    Args:
        services: Who answers, and where it is kept.
        question: The last one of the chat that is open, with everything before it.
        swap: Whether the sides change places in a blind comparison.
    """

    def __init__(
        self,
        services: Services,
        question: AskedQuestion | None,
        swap: Callable[[], bool] = lambda: random.random() < 0.5,
        seed: Callable[[], int] = random_seed,
    ) -> None:
        self._services = services
        self._question = question
        self._swap = swap
        self._seed = seed
        self._turns: tuple[ChatMessage, ...] = ()
        self._conversation_id: str | None = None
        self._kept: tuple[Record, ...] = ()
        self._asked: set[str] = set()
        self.sides: tuple[Side, Side] | None = None
        """A and B, once something was asked."""
        self.picked: Picked | None = None

    # -- what can be compared --------------------------------------------------------------------

    def versions(self) -> tuple[str, ...]:
        """Every version that can answer, newest first, the base last.

        Raises:
            TuteeError: the model is still loading.
        """
        adapters = self._services.chat.adapters
        if adapters is None:
            raise TuteeError(_("The model is still loading."), _("Compare as soon as it is ready."))
        made = [manifest.version for manifest in reversed(adapters.versions())]
        return (*made, BASE)

    def pair(self) -> tuple[str, str]:
        """The two to begin with: the one that answers, and the one it was made from.

        Two samples of the base where there is nothing else.
        """
        versions, adapters = self.versions(), self._services.chat.adapters
        assert adapters is not None  # or there would be no versions
        active = adapters.active()
        if active == BASE:
            return versions[0], BASE
        parent = adapters.manifest(active).parent
        return active, parent if parent in versions else BASE

    @property
    def prompt(self) -> str:
        """The last question of the chat, on one line; its files go along where it stays so."""
        return one_line(harmless(without_files(self._question.text))) if self._question else ""

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, text: str, versions: tuple[str, str], *, blind: bool) -> None:
        """Have `text` answered by both; the chat's own last question with all that was before it.

        Raises:
            TuteeError: there is no text.
        """
        if not text.strip():
            raise TuteeError(_("There is nothing to ask yet."), _("Write a prompt first."))
        self.stop()
        self._take(text)
        first, second = versions[::-1] if blind and self._swap() else versions
        self.sides = Side(first), Side(second)
        self.picked, self._kept = None, ()
        seed = self._seed()
        for place, side in enumerate(self.sides):
            self._asked.add(side.id)
            # Two versions draw from one seed, so that only they differ; two samples from two.
            drawn = seed + place if self.samples else seed
            self._services.chat.answer(side.id, side.version, self._turns, self._sampling(), drawn)

    def _sampling(self) -> Sampling:
        sampling = self._services.config.sampling
        if not self.samples:
            return sampling
        warm = max(sampling.temperature, SAMPLES_TEMPERATURE)
        return sampling.model_copy(update={"temperature": warm})

    @property
    def samples(self) -> bool:
        """Both sides are the same version."""
        return self.sides is not None and self.sides[0].version == self.sides[1].version

    def _take(self, text: str) -> None:
        question = self._question
        if question is not None and text == self.prompt:
            self._turns, self._conversation_id = question.prompt, question.conversation_id
            return
        system = self._services.config.chat.system_prompt
        before = (ChatMessage(role="system", content=system),) if system else ()
        self._turns = (*before, ChatMessage(role="user", content=text.strip()))
        self._conversation_id = None

    def stop(self) -> None:
        """Ask for no more of what is being written."""
        self._services.chat.stop_answers()

    def asked(self, request_id: str) -> bool:
        """Whether this comparison ever asked for that reply."""
        return request_id in self._asked

    def on_reply(self, event: TokenChunk | ReplyDone | ReplyFailed) -> None:
        """Take up what the worker says."""
        side = next((s for s in self.sides or () if s.id == event.request_id), None)
        if side is None:
            return
        match event:
            case TokenChunk():
                side.text += event.text
            case ReplyDone():
                side.text, side.done = event.text, event
            case ReplyFailed():
                self.stop()
                self.sides = None

    @property
    def writing(self) -> bool:
        return self.sides is not None and not self.whole

    @property
    def whole(self) -> bool:
        """Both have answered, so that one can choose."""
        return self.sides is not None and all(side.done is not None for side in self.sides)

    @property
    def alike(self) -> bool:
        """Both have answered the same, so that neither is better."""
        return self.whole and len({side.text.strip() for side in self.sides or ()}) == 1

    # -- judging ---------------------------------------------------------------------------------

    def pick(self, picked: Picked) -> str:
        """Keep which reply is good; what was kept, in words.

        Raises:
            TuteeError: the replies cannot be told apart, or one is empty.
        """
        assert self.sides is not None  # nothing can be picked before both are whole
        first, second = self.sides
        comparison = Comparison(
            self._turns,
            (first.text, second.text),
            (self._origin(first), self._origin(second)),
            self._conversation_id,
        )
        self._kept = self._services.repository.pick(comparison, picked)
        self.picked = picked
        return self._said(picked, first.version, second.version)

    def _said(self, picked: Picked, first: str, second: str) -> str:
        if self.samples:
            first, second = "A", "B"
        what = {
            "first": _("{first} was better than {second}").format(first=first, second=second),
            "second": _("{first} was better than {second}").format(first=second, second=first),
            "both": _("{first} and {second} were both good").format(first=first, second=second),
            "neither": _("{first} and {second} were both bad").format(first=first, second=second),
        }[picked]
        if not self._kept:
            return _("{what}: that was kept already.").format(what=what)
        kind: Noun = "preference" if picked in ("first", "second") else "verdict"
        return _("{what}: kept as {kept}.").format(what=what, kept=counted(len(self._kept), kind))

    def undo(self) -> None:
        """Take the choice back."""
        if self._kept:
            self._services.repository.delete_records([record.id for record in self._kept])
        self.picked, self._kept = None, ()

    def _origin(self, side: Side) -> Origin:
        adapters = self._services.chat.adapters
        assert adapters is not None  # or there would be no versions
        assert side.done is not None  # nothing can be picked before both are whole
        return Origin(
            source=SOURCE,
            model=adapters.folder.id,
            revision=adapters.folder.revision,
            adapter=side.version,
            sampling=self._sampling(),
            seed=side.done.seed,
            stopped=side.done.stopped,
        )
