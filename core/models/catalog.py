"""A short list of recommended models, and the models on this machine.

The list is short on purpose: models that answer well for their size, with clear licenses and sound
files, from one that any laptop runs to one for a large graphics card. Any other model can be named
by its id.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.config import BUILTIN
from core.hub import download
from core.hub.disk_usage import folder_size
from core.hub.model_id import hub_model
from core.models import builtin, gguf_import
from store.i18n import N_

State = Literal["here", "partly", "absent"]

_MILLION = 10**6


@dataclass(frozen=True)
class Offer:
    """Facts about a recommended model, known before it is downloaded."""

    spec: str
    name: str
    parameters: int
    """Not counting an output layer tied to the embeddings."""
    download: int
    """Bytes."""
    languages: str
    """In English; translated when shown."""
    licence: str
    """As the model's own page names it."""


def _offer(
    spec: str, parameters: int, download: int, languages: str, licence: str = "Apache-2.0"
) -> Offer:
    """Return the offer of a hub's model, named as its repository; both sizes in millions."""
    name = spec.rpartition("/")[2]
    return Offer(spec, name, parameters * _MILLION, download * _MILLION, languages, licence)


_TONGYI = "Tongyi Qianwen Research"
OFFERS = (
    Offer(
        BUILTIN,
        builtin.LABEL,
        135 * _MILLION,
        builtin.WHEEL_BYTES,
        N_("English only"),
        "Apache-2.0",
    ),
    _offer("modelscope:Qwen/Qwen1.5-0.5B-Chat", 464, 1240, N_("Chinese, English, …"), _TONGYI),
    _offer("modelscope:Qwen/Qwen2.5-0.5B-Instruct", 494, 990, N_("29 languages")),
    _offer("modelscope:Qwen/Qwen3-0.6B", 596, 1500, N_("119 languages")),
    _offer("hf:HuggingFaceTB/SmolLM2-360M-Instruct", 362, 725, N_("English")),
    _offer("modelscope:Qwen/Qwen2.5-1.5B-Instruct", 1540, 3090, N_("29 languages")),
    _offer("hf:microsoft/Phi-3.5-mini-instruct", 3820, 7640, N_("23 languages"), "MIT"),
    _offer("modelscope:Qwen/Qwen2.5-7B-Instruct", 7620, 15230, N_("29 languages")),
)


_ANY_LANGUAGE = "modelscope:Qwen/Qwen2.5-0.5B-Instruct"
"""The smallest offer that speaks more than English well enough to be taught."""


def recommended(language: str) -> str:
    """Return the id of the model to begin with for a user of `language`: the built-in one, which
    only speaks English, or the smallest that speaks the language. Both fit on any laptop."""
    return BUILTIN if language == "en" else _ANY_LANGUAGE


@dataclass(frozen=True)
class Known:
    """A model the user can choose."""

    spec: str
    state: State
    size: int
    """Bytes on disk; 0 if absent."""
    path: Path | None = None
    offer: Offer | None = None
    """None for a model that is not on the list."""
    shared: bool = False
    """It is in the cache of the hub's own client."""


def known(cache: Path) -> list[Known]:
    """Return the recommended models, then others on this machine (hubs, converted GGUF files)."""
    there = {one.model.spec: one for one in download.fetched(cache)}
    found = [_offered(offer, cache, there.pop(offer.spec, None)) for offer in OFFERS]
    found += [
        Known(spec, "here" if one.whole else "partly", one.size, one.path, shared=one.shared)
        for spec, one in there.items()
    ]
    made = sorted(path for path in gguf_import.folders(cache).glob("[!.]*") if path.is_dir())
    return found + [Known(str(path), "here", folder_size(path), path) for path in made]


def remove(spec: str, cache: Path) -> int:
    """Remove a model from this machine, and return the bytes freed.

    Raises:
        TuteeError: it is not there, it is not Tutee's to remove, or the disk refuses.
    """
    if spec == BUILTIN:
        return builtin.remove(cache)
    if model := hub_model(spec):
        return download.remove(model, cache)
    return gguf_import.remove(Path(spec).expanduser().resolve(), cache)


_AROUND = 2_500_000_000
"""Bytes beside the weights on a CPU, mostly activations kept for the backward pass; half of that on
a card, which computes in 16 bits."""


def _offered(offer: Offer, cache: Path, one: download.Fetched | None) -> Known:
    if offer.spec == BUILTIN:
        path = builtin.target(cache)
        size = folder_size(path)
        return Known(BUILTIN, "here" if size else "absent", size, path, offer)
    if one is None:
        return Known(offer.spec, "absent", 0, None, offer)
    state: State = "here" if one.whole else "partly"
    return Known(offer.spec, state, one.size, one.path, offer, shared=one.shared)


def memory(parameters: int, number: float = 4) -> int:
    """Estimate the bytes needed to chat and train at once: the weights twice, and the overhead.

    Args:
        number: Bytes per parameter: 4 on a CPU, 2 on a graphics card, 0.6 in 4 bits.
    """
    return round(2 * parameters * number + (_AROUND if number == 4 else _AROUND / 2))
