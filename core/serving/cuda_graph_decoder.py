"""One token at a time on a graphics card: the forward pass, recorded once and replayed.

For a token a card gets hundreds of small pieces of work, and Python takes longer to ask for them
than the card to do them. A CUDA graph asks for all of them at once. It can only replay what stays
where it was, so the keys and values lie in a store with room for tokens to come, each at its
position, and a mask hides the places after the token that is read. On an H200 a model of
Qwen1.5-0.5B's shape writes four times as fast this way.

Left out on purpose: sliding windows, whose places change; replies side by side, whose number
changes as they end; and transformers' `StaticCache`, in which every layer counts its tokens itself
and which brings torch's compiler with it.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from core.serving.transformers_decoder import Decoder, new_cache

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)
_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Those that are known to take a mask as it is given, and nothing of their cache but the update."""
_ROOM = 1024
"""Tokens that there is room for at first; twice as many each time that they do not suffice."""


def can_record(model: "PreTrainedModel") -> bool:
    """Whether replies of `model` can be written this way."""
    return (
        model.device.type == "cuda"
        and model.config.model_type in _FAMILIES
        and model.config._attn_implementation == "sdpa"
        and not any(new_cache(model).is_sliding)
    )


class RecordedDecoder(Decoder):
    """As `Decoder`; on a processor the forward pass of a token is run instead of replayed."""

    chunk = 2048
    _graph: torch.cuda.CUDAGraph | None
    """The forward pass of `_token` at `_position`, with its scores in `_next`."""
    _next: Tensor

    def __init__(
        self, model: "PreTrainedModel", reload: "Callable[[Path | None], Decoder] | None" = None
    ) -> None:
        self._token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
        self._position = torch.zeros_like(self._token)
        self._records = model.device.type == "cuda"
        super().__init__(model, reload)

    def _forget(self) -> None:
        self._tokens: list[int] = []
        self._layers = [_Layer() for _ in range(self.model.config.num_hidden_layers)]
        self._give_room(_ROOM)

    def _keep(self, count: int) -> None:
        del self._tokens[count:]  # what is read next goes to its places

    def _scores(self, tokens: Sequence[int]) -> Tensor:
        start, end = len(self._tokens), len(self._tokens) + len(tokens)
        if end > self._room:
            self._give_room(max(end, 2 * self._room))
        if len(tokens) == 1:
            return self._one(tokens[0], start)
        device = self.model.device
        return self._run(
            torch.tensor([list(tokens)], device=device),
            torch.arange(start, end, device=device)[None],
        )

    def _one(self, token: int, position: int) -> Tensor:
        """Scores (1, vocabulary), which the next token overwrites."""
        self._token.fill_(token)
        self._position.fill_(position)
        if self._records and self._graph is None:
            try:
                self._graph = self._record()
            except RuntimeError:
                # A kernel that cannot be recorded, or no room for what the recording holds.
                self._records = False
                log.warning("Each token is run, because it was not recorded.", exc_info=True)
        if self._graph is None:
            return self._run(self._token, self._position)
        self._graph.replay()
        return self._next

    def _record(self) -> torch.cuda.CUDAGraph:
        # Once before, on a stream apart: what libraries set up at their first call is no work.
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            self._run(self._token, self._position)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Another thread may be training meanwhile; that does not belong into the recording.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._next = self._run(self._token, self._position)
        return graph

    def _run(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Scores (1, vocabulary) after the last of `ids` (1, n), which belong at `positions`."""
        for layer in self._layers:
            layer.places = positions[0]
        mask = self._all_places <= positions[0][:, None]  # (n, room)
        output = self.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask[None, None],
            past_key_values=Cache(layers=self._layers),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _give_room(self, room: int) -> None:
        self._room = room
        self._all_places = torch.arange(room, device=self.model.device)
        for layer in self._layers:
            layer.give_room(room)
        self._graph = None  # it knows the places of before


class _Layer(CacheLayerMixin):
    """The keys and values of one layer, (1, heads, room, head size), each at its place."""

    is_sliding = False
    is_initialized: bool
    keys: Tensor
    values: Tensor
    places: Tensor
    """(n), where the tokens belong that are read now."""
    room = 0

    def give_room(self, room: int) -> None:
        self.room = room
        if self.is_initialized:
            self.keys, self.values = self._grown(self.keys), self._grown(self.values)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        # An empty beginning; what it grows by is 0, for attention gives it the weight 0.
        self.keys = self._grown(key_states[:, :, :0])
        self.values = self._grown(value_states[:, :, :0])
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys.index_copy_(2, self.places, key_states)
        self.values.index_copy_(2, self.places, value_states)
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
