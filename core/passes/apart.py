"""Proof, on the loaded model, that samples in one packed row do not see each other.

Packed rows (`core.packing`) keep samples apart by the attention mask alone. A model that carries
what it has read along in some other way (a state, a convolution, a distance that it counts itself)
would mix them, and learn from that, without any sign of it in the loss. So two made-up samples with
a common beginning are read once packed and once each alone, and a model whose hidden states differ
is refused.

Left out on purpose: rows of padded samples for such models; no family that people bring needs them.
"""

from typing import Any

from core.passes.batches import packed_row
from data.masks import Sample
from store.errors import TuteeError
from store.language import _

_SAMPLES = (
    Sample((3, 4, 5, 6, 7), 4),
    Sample((3, 4, 5, 6, 8), 4),
    Sample((9, 10), 1),
)
"""Short, so that each reads the end of another one just before it."""
_OFF = 0.03
"""Of the hidden states' own spread; rounding to 16 bits makes far less of it, a state far more."""


def require(model: Any) -> None:
    """Refuse a model that would mix the samples of a packed row.

    Raises:
        TuteeError: it does.
    """
    try:
        apart = _apart(model)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:  # of a mask it cannot take
        raise _refusal(model) from error
    if not apart:
        raise _refusal(model)


def _apart(model: Any) -> bool:
    import torch

    read = getattr(model, model.base_model_prefix)
    with torch.inference_mode():
        row = packed_row(_SAMPLES, model.dtype)
        packed = read(
            **{
                name: row[name].to(model.device)
                for name in ("input_ids", "position_ids", "attention_mask")
            },
            use_cache=False,
        ).last_hidden_state[0, row["ends"]]
        alone = torch.stack(
            [
                read(
                    input_ids=torch.tensor([sample.input_ids], device=model.device), use_cache=False
                ).last_hidden_state[0, -1]
                for sample in _SAMPLES
            ]
        )
    return bool((packed - alone).abs().mean() < _OFF * alone.float().std())


def _refusal(model: Any) -> TuteeError:
    return TuteeError(
        _(
            "Models of the family {family} can chat here, but not learn: they carry along what "
            "they have read in a way that would mix the samples of a training step."
        ).format(family=model.config.model_type),
        _("Choose another base (Ctrl+O); every model on the list can learn."),
    )
