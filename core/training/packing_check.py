"""Proof, on the loaded model, that samples in one packed row do not see each other.

Packed rows (`core.training.packing`) keep samples apart by the attention mask alone. A model that
carries what it has read along in some other way (a state, a convolution, a distance that it counts
itself) would mix them, and learn from that, without any sign of it in the loss. So two made-up
samples with a common beginning are read once packed and once each alone, and a model whose hidden
states differ is refused. How much rounding alone makes of it, a lot on some cards, is measured by
reading each of them once more with further tokens behind it: those change nothing of what comes
before them.

Left out on purpose: rows of padded samples for such models; no family that people bring needs them.
"""

from collections.abc import Sequence
from typing import Any

from core.training.micro_batches import packed_row
from data.tokenization import Sample
from store.errors import TuteeError
from store.i18n import _

_SAMPLES = (
    Sample((3, 4, 5, 6, 7), 4),
    Sample((3, 4, 5, 6, 8), 4),
    Sample((9, 10), 1),
)
"""Short, so that each reads the end of another one just before it."""
_OFF, _ROUNDED = 0.1, 4.0
"""What is no state: so much of the hidden states' own spread (a state makes a third of it or more),
or so many times what rounding makes."""


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

    def packed(samples: Sequence[Sample]) -> tuple[Any, Any]:
        """Hidden states (N, hidden) of a packed row, and where its samples end."""
        row = packed_row(samples, model.dtype)
        names = ("input_ids", "position_ids", "attention_mask")
        given = {name: row[name].to(model.device) for name in names}
        return read(**given, use_cache=False).last_hidden_state[0].float(), row["ends"]

    def alone(sample: Sample) -> Any:
        ids = torch.tensor([sample.input_ids], device=model.device)
        return read(input_ids=ids, use_cache=False).last_hidden_state[0, -1].float()

    def followed(sample: Sample) -> Any:
        behind = [token for other in _SAMPLES for token in other.input_ids]
        hidden, _ends = packed([Sample((*sample.input_ids, *behind), sample.reply_start)])
        return hidden[len(sample.input_ids) - 1]

    with torch.inference_mode():
        hidden, ends = packed(_SAMPLES)
        wanted = torch.stack([alone(sample) for sample in _SAMPLES])
        off = (hidden[ends] - wanted).abs().mean()
        rounded = (torch.stack([followed(s) for s in _SAMPLES]) - wanted).abs().mean()
    return bool(off < max(_OFF * wanted.std(), _ROUNDED * rounded))


def _refusal(model: Any) -> TuteeError:
    return TuteeError(
        _(
            "Models of the family {family} can chat here, but not learn: they carry along what "
            "they have read in a way that would mix the samples of a training step."
        ).format(family=model.config.model_type),
        _("Choose another base (Ctrl+O); every model on the list can learn."),
    )
