"""Score replies of the chat one at a time, with a reward model that stays loaded between them.

A reward model is a whole model beside the one that answers, so it is loaded at the first score.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data.tokenization import encode
from store.records import ChatMessage

if TYPE_CHECKING:
    from core.serving.engine import Engine
    from core.training.reward import Scorer


class RewardScorer:
    """Holds at most one reward model."""

    def __init__(self) -> None:
        self._loaded: tuple[Path, Scorer] | None = None

    def score(
        self, engine: "Engine", messages: Sequence[ChatMessage], reply: str, directory: Path
    ) -> float:
        """Return the reward of `reply` to `messages` by the reward model in `directory`.

        Raises:
            TuteeError: the folder holds no reward model.
        """
        from core.training.reward import Scorer
        from core.training.run_control import RunControl

        if self._loaded is None or self._loaded[0] != directory:
            self._loaded = None  # free its memory before loading the next
            self._loaded = directory, Scorer(engine.folder, directory, RunControl())
        (reward,) = self._loaded[1]([encode(engine.tokenizer, messages, reply)])
        return reward

    def unload(self) -> None:
        self._loaded = None
