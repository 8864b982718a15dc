"""Load a base model and its adapter into the fastest backend for this device."""

from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.peft_files import can_merge, unreadable
from core.config import Serving
from core.models import fast_loading
from core.models.folder import ModelFolder
from core.models.loading import load_model, quantised, unloadable
from core.runtime.device import device
from core.runtime.failures import is_out_of_memory
from core.runtime.library_logging import hush
from core.serving.backend import Backend
from store.errors import TuteeError
from store.i18n import _

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from core.serving.transformers_decoder import TransformersDecoder


def load(
    folder: ModelFolder, config: "PretrainedConfig", adapter: Path | None, serving: Serving
) -> Backend:
    """Load the base in `folder`, with an adapter in peft's format or None.

    Raises:
        TuteeError: the base or the adapter cannot be loaded.
    """
    from core.serving.packed import decoder, weights

    def load_whole(adapter: Path | None) -> Backend:
        return _load_whole(folder, adapter, serving)

    try:
        if device() == "cpu" and weights.supports(config) and not quantised(folder).four_bit:
            return decoder.load(folder, config, serving, load_whole).with_adapter(adapter)
        return load_whole(adapter)
    except Exception as error:
        if isinstance(error, TuteeError) or is_out_of_memory(error):
            raise
        title = _("The model in {folder} could not be loaded: {said}")
        raise unloadable(title, folder, error) from error


def _load_whole(
    folder: ModelFolder, adapter: Path | None, serving: Serving
) -> "TransformersDecoder":
    """Load transformers' own model in bf16 or fp32; any other precision counts as `auto`."""
    import torch

    from core.serving import cuda_graph_decoder
    from core.serving.transformers_decoder import TransformersDecoder, lay_out_for_decoding

    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    model = load_model(folder, dtypes.get(serving.precision))
    if adapter is not None:
        model = merged(model, adapter)
    lay_out_for_decoding(model)
    graphs = cuda_graph_decoder.supports(model)
    kind = cuda_graph_decoder.CudaGraphDecoder if graphs else TransformersDecoder
    return kind(model, lambda adapter: _load_whole(folder, adapter, serving))


def read_config(folder: ModelFolder) -> "PretrainedConfig":
    """Read the text model's config from `folder`.

    Raises:
        TuteeError: it cannot be read.
    """
    hush()
    try:
        config = fast_loading.config(folder.path)
        if config is None:
            from transformers import AutoConfig

            config = AutoConfig.from_pretrained(
                folder.path, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        title = _("The model in {folder} could not be loaded: {said}")
        raise unloadable(title, folder, error) from error
    return config.get_text_config()


def merged(model: "PreTrainedModel", adapter: Path) -> "PreTrainedModel":
    """Merge the adapter into `model`'s weights, so that it costs nothing afterwards.

    With weights in 4 bits it stays beside them: their rounding would swallow part of it. So does
    one that cannot be merged.

    Raises:
        TuteeError: the adapter cannot be loaded.
    """
    from peft import PeftModel

    try:
        tuned = PeftModel.from_pretrained(model, str(adapter))
        if getattr(model, "is_loaded_in_4bit", False) or not can_merge(tuned):
            return tuned.eval().base_model.model
        return tuned.merge_and_unload(safe_merge=True)
    except Exception as error:
        # A damaged folder makes peft fail in many ways.
        raise unreadable(adapter, error) from error
