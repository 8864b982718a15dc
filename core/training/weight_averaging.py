"""Average the weights over the last steps of a run, instead of keeping the final ones.

The final weights depend on the few samples of the last steps, and so on the order of the data.
Weights averaged along the way lie nearer the center of the good region, at the cost of one addition
per step (Izmailov et al., arXiv 1803.05407; over the last steps of a run, Kaddour, arXiv
2209.14981).

Left out on purpose: short runs, whose early steps have not learned enough to be averaged; and
torch's `AveragedModel`, which copies the whole model, base included.
"""

from collections.abc import Iterator
from typing import Any


class WeightAverage:
    """Running mean of a policy's trainable weights.

    Args:
        first: Optimizer steps after which weights are included.
    """

    def __init__(self, model: Any, first: int) -> None:
        self._model = model
        self._first = first
        self._count = 0
        self._sums: dict[str, Any] = {}

    def add(self, step: int) -> None:
        """Include the current weights, of after `step` steps, if `step` is late enough."""
        if step < self._first:
            return
        self._count += 1
        for name, weight in self._trainable():
            if name in self._sums:
                self._sums[name] += weight.detach()
            else:
                self._sums[name] = weight.detach().clone()

    def apply(self) -> None:
        """Set the policy's weights to the mean, if any were included."""
        import torch

        if not self._sums:
            return
        with torch.no_grad():
            for name, weight in self._trainable():
                weight.copy_(self._sums[name] / self._count)

    def state(self) -> tuple[int, dict[str, Any]]:
        """Return the number of included steps and the sums of their weights."""
        return self._count, self._sums

    def restore(self, count: int, sums: dict[str, Any]) -> None:
        """Continue from the result of `state`."""
        devices = {name: weight.device for name, weight in self._trainable()}
        self._count = count
        self._sums = {name: total.to(devices[name]) for name, total in sums.items()}

    def _trainable(self) -> Iterator[tuple[str, Any]]:
        return ((n, p) for n, p in self._model.named_parameters() if p.requires_grad)
