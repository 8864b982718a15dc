"""Replies sampled from the policy, and the reward function that scores them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from data.tokenization import Sample

Prompt = tuple[int, ...]
"""Token ids, as in the chat."""


@dataclass(frozen=True)
class Rollout:
    prompt: int
    """Index of its prompt."""
    sample: Sample
    """The prompt and the reply's tokens."""
    text: str
    ended: bool


Reward = Callable[[Sequence[Rollout]], Sequence[float]]
"""Return the reward of each reply; all of them have ended."""
