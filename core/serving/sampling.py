"""Sample the next token from logits, for one reply or a batch.

Repetition penalty, temperature, top-k, nucleus (top-p) and min-p sampling, in transformers' order
and with its results, with two differences. Random numbers come from a separate generator, so a seed
fixes the reply and training in another thread keeps its own randomness. And the repetition penalty
counts the tokens of the reply only: an answer needs the words of its question, and the end tokens
of earlier messages must not keep this one from ending.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from store.records import Sampling

_USUAL_CANDIDATES = 256
"""Candidates that nearly always hold the whole nucleus; sorting only these is faster."""


class Sampler:
    """Samples the tokens of one or more replies.

    Args:
        seed: Fixes every draw.
        like: Logits as `pick` will get them, (replies, vocabulary).
    """

    def __init__(self, sampling: Sampling, seed: int, like: Tensor) -> None:
        self._sampling = sampling
        self._generator = torch.Generator(like.device).manual_seed(seed)
        self._seen = torch.zeros_like(like, dtype=torch.bool)  # (replies, vocabulary)

    def pick(self, logits: Tensor) -> list[int]:
        """Return one token for each row of `logits`, (replies, vocabulary)."""
        logits = self._penalized(logits.float())
        if self._sampling.temperature == 0:
            tokens = logits.argmax(-1, keepdim=True)
        else:
            probabilities = (logits / self._sampling.temperature).softmax(-1)
            kept, candidates = truncate(probabilities, self._sampling)
            tokens = torch.multinomial(kept, 1, generator=self._generator)
            if candidates is not None:
                tokens = candidates.gather(-1, tokens)
        self._seen.scatter_(-1, tokens, value=True)
        return tokens[:, 0].tolist()

    def keep(self, rows: Sequence[int]) -> None:
        """Keep only these replies; the others have ended."""
        self._seen = self._seen[list(rows)]

    def _penalized(self, logits: Tensor) -> Tensor:
        penalty = self._sampling.repetition_penalty
        if penalty == 1:
            return logits
        lowered = torch.where(logits > 0, logits / penalty, logits * penalty)
        return torch.where(self._seen, lowered, logits)


def truncate(probabilities: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor | None]:
    """Keep the tokens of each row that may be drawn.

    The `top_k` likeliest; of those, the smallest set whose probabilities add up to `top_p` of
    theirs; of those, the ones at least `min_p` times as likely as the likeliest.

    Args:
        probabilities: (rows, vocabulary), each row summing to 1.

    Returns:
        The probabilities, 0 for candidates outside the set, and the candidates' token ids, None if
        they are the whole vocabulary; both (rows, candidates), the most likely first.
    """
    top_k, top_p, min_p = sampling.top_k, sampling.top_p, sampling.min_p
    size = probabilities.shape[-1]
    if top_p == 1 and not min_p and not 0 < top_k < size:
        return probabilities, None
    counts = (min(top_k, size),) if top_k else (min(_USUAL_CANDIDATES, size), size)
    for count in counts:
        kept, candidates = probabilities.topk(count, dim=-1)
        mass = kept.cumsum(-1)
        enough = (mass[:, -1] >= top_p) | (kept[:, -1] < min_p * kept[:, 0])
        if bool(enough.all()):
            break
    out = kept < min_p * kept[:, :1]
    if top_p < 1:  # at 1, the unlikeliest would be lost to rounding of the sums
        out |= mass - kept >= top_p * (mass[:, -1:] if top_k else 1.0)
    return kept.masked_fill(out, 0.0), candidates
