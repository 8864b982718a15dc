"""The protocol through which an engine runs a model.

Implemented by packed weights on a CPU (`core.serving.packed`) and by transformers' own model
(`core.serving.transformers_decoder`, `core.serving.cuda_graph_decoder`).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Slot = Callable[[], AbstractContextManager[None]]
"""Entered around each piece of work on a batch, to share the device or to cancel."""

BatchStep = Callable[[Sequence[int], Sequence[int]], "Tensor"]
"""Given the rows that go on and one token for each, return their next logits (rows, vocabulary).

Rows are indexes into the previous step's batch.
"""


class Backend(Protocol):
    """A base model with an adapter, and its KV cache."""

    precision: str
    """Of the weights, for display."""
    nbytes: int
    """Memory taken by the weights."""

    def prefill(self, prompt: Sequence[int], should_stop: Callable[[], bool]) -> "Tensor | None":
        """Return the logits (1, vocabulary) after `prompt`, or None when asked to stop."""

    def decode_step(self, token: int) -> "Tensor":
        """Append `token` to the sequence and return the logits (1, vocabulary) after it."""

    def prefill_batch(
        self, prompts: Sequence[Sequence[int]], copies: int, slot: Slot
    ) -> "tuple[Tensor, BatchStep]":
        """Prefill each prompt once, for `copies` replies each.

        Returns:
            The logits (prompts * copies, vocabulary), prompt by prompt, and the step that goes on.
        """

    def with_adapter(self, adapter: Path | None) -> "Backend":
        """Return the same base with another adapter; this backend stays usable."""
