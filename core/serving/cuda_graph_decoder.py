"""Decode on a CUDA device by replaying the forward pass of one token as a CUDA graph.

One token is hundreds of small kernels, and Python takes longer to launch them than the device to
run them; a CUDA graph launches all of them at once. A graph can only replay fixed addresses, so
keys and values lie in a preallocated store, each at its position, and a mask hides the positions
after the current token.

Left out on purpose: sliding windows, whose positions change; batches, whose size changes as replies
end; and transformers' `StaticCache`, whose layers count tokens themselves and which loads torch's
compiler.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from core.serving.transformers_decoder import TransformersDecoder, new_cache

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)
_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Families known to use a given mask as it is, and of their cache only `update`."""
_INITIAL_ROOM = 1024
"""Initial room in tokens; doubled whenever it does not suffice."""


def supports(model: "PreTrainedModel") -> bool:
    """Return whether `CudaGraphDecoder` can serve `model`."""
    return (
        model.device.type == "cuda"
        and model.config.model_type in _FAMILIES
        and model.config._attn_implementation == "sdpa"
        and not any(new_cache(model).is_sliding)
    )


class CudaGraphDecoder(TransformersDecoder):
    """As `TransformersDecoder`, with decode steps replayed; on a CPU they are run instead."""

    chunk = 2048

    def __init__(
        self,
        model: "PreTrainedModel",
        reload: "Callable[[Path | None], TransformersDecoder] | None" = None,
    ) -> None:
        self._token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
        self._position = torch.zeros_like(self._token)
        self._captures = model.device.type == "cuda"
        self._captured: tuple[torch.cuda.CUDAGraph, Tensor] | None = None
        """The forward pass of `_token` at `_position`, and the logits it writes."""
        super().__init__(model, reload)

    def _reset(self) -> None:
        self._tokens: list[int] = []
        self._layers = [_Layer() for _ in range(self.model.config.num_hidden_layers)]
        self._grow(_INITIAL_ROOM)

    def _crop(self, count: int) -> None:
        del self._tokens[count:]  # the next tokens overwrite their positions

    def _forward(self, tokens: Sequence[int]) -> Tensor:
        start, end = len(self._tokens), len(self._tokens) + len(tokens)
        if end > self._room:
            self._grow(max(end, 2 * self._room))
        if len(tokens) == 1:
            return self._forward_one(tokens[0], start)
        device = self.model.device
        positions = torch.arange(start, end, device=device)[None]
        return self._run(torch.tensor([list(tokens)], device=device), positions)

    def _forward_one(self, token: int, position: int) -> Tensor:
        """Return the logits (1, vocabulary); the next token overwrites them."""
        self._token.fill_(token)
        self._position.fill_(position)
        if self._captures and self._captured is None:
            try:
                self._captured = self._capture()
            except RuntimeError:
                # A kernel that cannot be captured, or no memory for the graph.
                self._captures = False
                log.warning("No CUDA graph was captured; tokens run without it.", exc_info=True)
        if self._captured is None:
            return self._run(self._token, self._position)
        graph, logits = self._captured
        graph.replay()
        return logits

    def _capture(self) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        # Run once on a side stream first: libraries set themselves up at their first call.
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            self._run(self._token, self._position)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Another thread may be training; its kernels do not belong into the graph.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            logits = self._run(self._token, self._position)
        return graph, logits

    def _run(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return the logits (1, vocabulary) after the last of `ids` (1, n) at `positions`."""
        for layer in self._layers:
            layer.positions = positions[0]
        mask = self._all_positions <= positions[0][:, None]  # (n, room)
        output = self.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask[None, None],
            past_key_values=Cache(layers=self._layers),
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1]

    def _grow(self, room: int) -> None:
        self._room = room
        self._all_positions = torch.arange(room, device=self.model.device)
        for layer in self._layers:
            layer.grow(room)
        self._captured = None  # it holds the old addresses


class _Layer(CacheLayerMixin):
    """The keys and values of one layer, (1, heads, room, head size), each at its position."""

    is_sliding = False
    is_initialized: bool
    keys: Tensor
    values: Tensor
    positions: Tensor
    """(n), of the current tokens."""
    room = 0

    def grow(self, room: int) -> None:
        self.room = room
        if self.is_initialized:
            self.keys, self.values = self._grown(self.keys), self._grown(self.values)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        # Room that is not used yet must be finite: attention multiplies it by 0.
        self.keys = self._grown(key_states[:, :, :0])
        self.values = self._grown(value_states[:, :, :0])
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys.index_copy_(2, self.positions, key_states)
        self.values.index_copy_(2, self.positions, value_states)
        return self.keys, self.values

    def _grown(self, store: Tensor) -> Tensor:
        grown = store.new_zeros(*store.shape[:2], self.room, store.shape[3])
        grown[:, :, : store.shape[2]] = store
        return grown

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.room, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return self.room
