"""Replies drawn from the policy, and the reward function that scores them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from data.tokenization import Sample

Prompt = tuple[int, ...]
"""Token ids, as the chat feeds them."""


@dataclass(frozen=True)
class Rollout:
    """One reply that the policy drew."""

    prompt: int
    """Index of its prompt."""
    sample: Sample
    """The prompt and the reply's tokens."""
    text: str
    ended: bool


Reward = Callable[[Sequence[Rollout]], Sequence[float]]
"""What each reply is worth; all of them have ended."""
