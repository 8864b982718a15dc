"""Load a base model and its adapter into the backend that serves them fastest here."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.peft_files import unreadable
from core.config import Serving
from core.models import fast_loading
from core.models.folder import ModelFolder
from core.models.loading import load_model, quantised
from core.runtime.device import device
from core.runtime.library_logging import hush
from core.serving.backend import Backend
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from core.serving.transformers_decoder import Decoder


def load(
    folder: ModelFolder, config: "PretrainedConfig", adapter: Path | None, serving: Serving
) -> Backend:
    """The base in `folder` with an adapter in a folder as peft writes it, or None.

    Raises:
        TuteeError: one of them cannot be loaded.
    """
    from core.serving.packed import decoder, weights

    def whole(adapter: Path | None) -> Backend:
        return _whole(folder, adapter, serving)

    if device() == "cpu" and weights.supports(config) and not quantised(folder).four_bit:
        return decoder.load(folder, config, serving, whole).with_adapter(adapter)
    return whole(adapter)


def _whole(folder: ModelFolder, adapter: Path | None, serving: Serving) -> "Decoder":
    """transformers' own model. Of the precisions it knows bf16 and fp32; others are `auto`."""
    import torch

    from core.serving.cuda_graph_decoder import RecordedDecoder, can_record
    from core.serving.transformers_decoder import Decoder, arrange

    known = {"fp32": torch.float32, "bf16": torch.bfloat16}
    model = load_model(folder, known.get(serving.precision))
    if adapter is not None:
        model = merged(model, adapter)
    arrange(model)
    kind = RecordedDecoder if can_record(model) else Decoder
    return kind(model, lambda adapter: _whole(folder, adapter, serving))


def read_config(folder: ModelFolder) -> "PretrainedConfig":
    """What the files in `folder` say of the model.

    Raises:
        TuteeError: they cannot be read.
    """
    hush()
    try:
        config = fast_loading.config(folder.path) or _auto_config(folder.path)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TuteeError(
            _("The model in {folder} could not be loaded: {said}").format(
                folder=folder.path, said=said
            )
        ) from error
    return config.get_text_config()


def _auto_config(path: Path) -> "PretrainedConfig":
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)


def ends(folder: ModelFolder, config: "PretrainedConfig") -> frozenset[int]:
    """The tokens that the model's own settings say end a text."""
    path = folder.path / "generation_config.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    told = found.get("eos_token_id", config.eos_token_id)
    return frozenset([told] if isinstance(told, int) else told or [])


def merged(model: "PreTrainedModel", adapter: Path) -> "PreTrainedModel":
    """`model` with the adapter added to its weights, so that it costs nothing afterwards.

    Beside its weights where those are in 4 bits, whose rounding would swallow part of it.
    """
    from peft import PeftModel

    try:
        tuned = PeftModel.from_pretrained(model, str(adapter))
        if getattr(model, "is_loaded_in_4bit", False):
            return tuned.eval().base_model.model
        return tuned.merge_and_unload(safe_merge=True)
    except Exception as error:
        # A damaged folder fails in peft in more ways than can be listed.
        raise unreadable(adapter, error) from error
