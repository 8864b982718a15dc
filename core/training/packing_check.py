"""Check on the loaded model that samples in one packed row do not affect each other.

Packed rows (`core.training.packing`) separate samples by the attention mask alone. A model that
carries context in some other way (a recurrent state, a convolution, positions it counts itself)
would mix them, and learn from that, without any sign in the loss. So a few made-up samples, two of
them with a common prefix, go through the model packed and each alone, and a model whose hidden
states differ is refused. The size of rounding errors, large on some GPUs, is measured by a forward
of each sample with more tokens after it: these cannot change what comes before them.

Left out on purpose: rows of padded samples for such models; no family in common use needs them.
"""

from collections.abc import Sequence
from typing import Any

from core.training.micro_batches import packed_row
from core.training.packing import INPUTS
from data.tokenization import Sample
from store.errors import TuteeError
from store.i18n import _

_SAMPLES = (Sample((3, 4, 5, 6, 7), 4), Sample((3, 4, 5, 6, 8), 4), Sample((9, 10), 1))
"""Short, so that each one directly follows the end of another."""
_OFF, _ROUNDED = 0.1, 4.0
"""Tolerated difference: this share of the hidden states' standard deviation (a recurrent state
causes a third of it or more), or this multiple of the rounding error."""


def require_separate_samples(model: Any) -> None:
    """Refuse a model that would mix the samples of a packed row.

    Raises:
        TuteeError: the model mixes them, or does not accept a 4D mask.
    """
    try:
        separate = _keeps_separate(model)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:  # the mask is not accepted
        raise _refusal(model) from error
    if not separate:
        raise _refusal(model)


def _keeps_separate(model: Any) -> bool:
    import torch

    forward = getattr(model, model.base_model_prefix)

    def packed(samples: Sequence[Sample]) -> tuple[Any, Any]:
        """Return the hidden states (N, hidden) of a packed row, and where its samples end."""
        row = packed_row(samples, model.dtype)
        given = {name: row[name].to(model.device) for name in INPUTS}
        return forward(**given, use_cache=False).last_hidden_state[0].float(), row["ends"]

    def alone(sample: Sample) -> Any:
        ids = torch.tensor([sample.input_ids], device=model.device)
        return forward(input_ids=ids, use_cache=False).last_hidden_state[0, -1].float()

    def with_tokens_after(sample: Sample) -> Any:
        after = [token for other in _SAMPLES for token in other.input_ids]
        hidden, _ends = packed([Sample((*sample.input_ids, *after), sample.reply_start)])
        return hidden[len(sample.input_ids) - 1]

    with torch.inference_mode():
        hidden, ends = packed(_SAMPLES)
        wanted = torch.stack([alone(sample) for sample in _SAMPLES])
        off = (hidden[ends] - wanted).abs().mean()
        rounded = (torch.stack([with_tokens_after(s) for s in _SAMPLES]) - wanted).abs().mean()
    return bool(off < max(_OFF * wanted.std(), _ROUNDED * rounded))


def _refusal(model: Any) -> TuteeError:
    return TuteeError(
        _(
            "Models of the family {family} can chat here but cannot be trained: they carry state "
            "in a way that would mix the samples of a training step."
        ).format(family=model.config.model_type),
        _("Choose another base (Ctrl+O); every model on the list can be trained."),
    )
