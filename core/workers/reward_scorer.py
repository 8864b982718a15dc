"""Scores of replies, one at a time: the reward model stays loaded between them.

It is a whole model beside the one that answers, so it is loaded only once a score is asked for.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data.tokenization import encode
from store.records import ChatMessage

if TYPE_CHECKING:
    from core.serving.engine import Engine
    from core.training.reward import Scorer


class Scores:
    """One reward model at a time, loaded when it is needed."""

    def __init__(self) -> None:
        self._loaded: tuple[Path, Scorer] | None = None

    def of(
        self, engine: "Engine", turns: Sequence[ChatMessage], reply: str, directory: Path
    ) -> float:
        """The reward of `reply` to `turns` by the reward model in `directory`.

        Raises:
            TuteeError: the folder does not hold one.
        """
        from core.training.reward import Scorer
        from core.training.run_control import RunControl

        if self._loaded is None or self._loaded[0] != directory:
            self._loaded = None  # the memory of one is freed before the next is loaded
            self._loaded = directory, Scorer(engine.folder, directory, RunControl())
        (reward,) = self._loaded[1]([encode(engine.tokenizer, turns, reply)])
        return reward

    def forget(self) -> None:
        """Free its memory."""
        self._loaded = None
