"""What an engine runs a model with: packed weights on a processor, or else transformers.

Both give the same: logits after a prompt, logits after one more token, replies side by side.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from core.serving.sampling import Sampler


class Backend(Protocol):
    """A base model with an adapter, and what it has read."""

    precision: str
    """Of the weights, for a person to read."""
    nbytes: int
    """Memory that the weights take."""

    def read(self, prompt: Sequence[int], should_stop: Callable[[], bool]) -> "Tensor | None":
        """Scores (1, vocabulary) for the token after `prompt`; None when asked to stop."""
        ...

    def advance(self, token: int) -> "Tensor":
        """Scores (1, vocabulary) for the token after `token`, which follows all read so far."""
        ...

    def together(
        self,
        prompts: Sequence[Sequence[int]],
        new_sampler: "Callable[[Tensor], Sampler]",
        stop: frozenset[int],
        max_new_tokens: int,
        *,
        copies: int = 1,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> list[list[int]]:
        """The tokens of `copies` replies to each prompt."""
        ...

    def with_adapter(self, adapter: Path | None) -> "Backend":
        """The same base with another adapter, beside this one."""
        ...
