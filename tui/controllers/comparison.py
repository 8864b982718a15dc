"""Compare two replies to one prompt, without widgets: ask, generate, choose.

The replies come from two versions, or are two samples of one. A blind comparison assigns A and B at
random and reveals them only after the choice. The choice is stored as feedback and can be undone.
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
from tui.controllers.loaded_model import loaded_adapters
from tui.controllers.open_conversation import AskedQuestion
from tui.services import Services, random_seed
from tui.text_format import Noun, counted, harmless

SOURCE = "compare"
SAMPLES_TEMPERATURE = 0.8
"""Minimum temperature for two samples of one version, which would otherwise be the same."""


@dataclass
class Side:
    """The reply of one version."""

    version: str
    id: str = field(default_factory=new_id)
    text: str = ""
    done: ReplyDone | None = None


class ComparisonController:
    """A series of comparisons."""

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
        self._messages: tuple[ChatMessage, ...] = ()
        self._conversation_id: str | None = None
        self._stored: tuple[Record, ...] = ()
        self._request_ids: set[str] = set()
        self.sides: tuple[Side, Side] | None = None
        """A and B, once a prompt was sent."""
        self.picked: Picked | None = None

    # -- versions --------------------------------------------------------------------------------

    def versions(self) -> tuple[str, ...]:
        """List every version that can chat, newest first, the base last.

        Raises:
            TuteeError: the model is still loading.
        """
        manifests = loaded_adapters(self._services).versions()
        return (*(manifest.version for manifest in reversed(manifests)), BASE)

    def pair(self) -> tuple[str, str]:
        """Suggest the active version and its parent; without any adapter, the base twice."""
        versions, adapters = self.versions(), loaded_adapters(self._services)
        active = adapters.active()
        if active == BASE:
            return versions[0], BASE
        parent = adapters.manifest(active).parent
        return active, parent if parent in versions else BASE

    @property
    def prompt(self) -> str:
        """The last user message without its files; sent unchanged, they go along."""
        return harmless(without_files(self._question.text)).strip() if self._question else ""

    # -- generating ------------------------------------------------------------------------------

    def ask(self, text: str, versions: tuple[str, str], *, blind: bool) -> None:
        """Send `text` to both versions; the chat's last user message keeps its context.

        Raises:
            TuteeError: `text` is empty.
        """
        if not text.strip():
            raise TuteeError(_("The prompt is empty."), _("Write a prompt first."))
        self.stop()
        self._set_context(text)
        first, second = versions[::-1] if blind and self._swap() else versions
        self.sides = Side(first), Side(second)
        self.picked, self._stored = None, ()
        seed, sampling = self._seed(), self._sampling()
        for offset, side in enumerate(self.sides):
            self._request_ids.add(side.id)
            # Two versions share a seed, so that only they differ; two samples need two seeds.
            drawn = seed + offset if self.samples else seed
            self._services.chat.answer(side.id, side.version, self._messages, sampling, drawn)

    def _sampling(self) -> Sampling:
        sampling = self._services.config.sampling
        if not self.samples:
            return sampling
        warm = max(sampling.temperature, SAMPLES_TEMPERATURE)
        return sampling.model_copy(update={"temperature": warm})

    @property
    def samples(self) -> bool:
        """Both replies are samples of one version."""
        return self.sides is not None and self.sides[0].version == self.sides[1].version

    @property
    def question(self) -> str:
        """What both sides were asked; empty before that."""
        return harmless(without_files(self._messages[-1].content)) if self._messages else ""

    @property
    def only_base(self) -> bool:
        """There is no version yet, so that only the original model can be compared with itself."""
        return self.versions() == (BASE,)

    def _set_context(self, text: str) -> None:
        question = self._question
        if question is not None and text.strip() == self.prompt:
            self._messages, self._conversation_id = question.prompt, question.conversation_id
            return
        system = self._services.config.chat.system_prompt
        before = (ChatMessage(role="system", content=system),) if system else ()
        self._messages = (*before, ChatMessage(role="user", content=text.strip()))
        self._conversation_id = None

    def stop(self) -> None:
        self._services.chat.stop_answers()

    def asked(self, request_id: str) -> bool:
        """Whether that reply was requested here, in this comparison or an earlier one."""
        return request_id in self._request_ids

    def on_reply(self, event: TokenChunk | ReplyDone | ReplyFailed) -> None:
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
    def generating(self) -> bool:
        return self.sides is not None and not self.complete

    @property
    def complete(self) -> bool:
        """Both replies are complete, so the user can choose."""
        return self.sides is not None and all(side.done is not None for side in self.sides)

    @property
    def identical(self) -> bool:
        """Both replies have the same text, so that neither is better."""
        return self.complete and len({side.text.strip() for side in self.sides or ()}) == 1

    # -- choosing --------------------------------------------------------------------------------

    def pick(self, picked: Picked) -> str:
        """Store the choice; return a sentence that names the versions and what was stored.

        Raises:
            TuteeError: the replies are identical, or one is empty.
        """
        assert self.sides is not None  # nothing can be picked before both are complete
        first, second = self.sides
        texts, origins = (first.text, second.text), (self._origin(first), self._origin(second))
        comparison = Comparison(self._messages, texts, origins, self._conversation_id)
        self._stored = self._services.repository.pick(comparison, picked)
        self.picked = picked
        return self._describe(picked, first.version, second.version)

    def _describe(self, picked: Picked, first: str, second: str) -> str:
        if self.samples:
            first, second = "A", "B"
        result = {
            "first": _("{first} was better than {second}").format(first=first, second=second),
            "second": _("{first} was better than {second}").format(first=second, second=first),
            "both": _("{first} and {second} were both good").format(first=first, second=second),
            "neither": _("{first} and {second} were both bad").format(first=first, second=second),
        }[picked]
        if not self._stored:
            return _("{result}: already kept.").format(result=result)
        kind: Noun = "preference" if picked in ("first", "second") else "verdict"
        kept = counted(len(self._stored), kind)
        return _("{result}: kept as {kept}.").format(result=result, kept=kept)

    def undo(self) -> None:
        """Delete what the choice stored."""
        if self._stored:
            self._services.repository.delete_records([record.id for record in self._stored])
        self.picked, self._stored = None, ()

    def _origin(self, side: Side) -> Origin:
        adapters = loaded_adapters(self._services)
        assert side.done is not None  # nothing can be picked before both are complete
        return Origin(
            source=SOURCE,
            model=adapters.folder.id,
            revision=adapters.folder.revision,
            adapter=side.version,
            sampling=self._sampling(),
            seed=side.done.seed,
            stopped=side.done.stopped,
        )
