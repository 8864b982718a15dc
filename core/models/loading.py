"""Load the tokenizer and the weights of a model folder."""

from typing import TYPE_CHECKING

from core import json_file
from core.models import chat_templates, fast_loading, quantization
from core.models.consistency import require_tokens
from core.models.folder import (
    ModelFolder,
    chat_template,
    has_named_templates,
    has_template,
    weights,
)
from core.runtime import device as devices
from core.runtime.library_logging import hush
from store.errors import TuteeError
from store.i18n import _, join_sentences

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def notice(folder: ModelFolder) -> str:
    """Return what the user should know about this model; usually nothing."""
    said = []
    if not has_template(folder):
        named = has_named_templates(folder)
        said.append(_(chat_templates.NAMED_NOTICE if named else chat_templates.NOTICE))
    if folder.four_bit == "auto" and (choice := quantised(folder)).four_bit:
        said.append(_("The model is kept in 4 bits: {why}.").format(why=choice.why))
    return join_sentences(said)


def load_tokenizer(folder: ModelFolder) -> "PreTrainedTokenizerBase":
    """Load the tokenizer, with its chat template set."""
    hush()
    try:
        tokenizer = fast_loading.tokenizer(folder.path)
        if tokenizer is None:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(
                folder.path, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        title = _("The tokenizer in {folder} could not be loaded: {said}")
        raise unloadable(title, folder, error) from error
    template = tokenizer.chat_template
    if not template or (isinstance(template, dict) and "default" not in template):
        tokenizer.chat_template = chat_template(folder)
    require_tokens(tokenizer, folder.path)
    return tokenizer


def eos_tokens(folder: ModelFolder, default: object) -> frozenset[int]:
    """Return the end-of-text tokens of the generation config.

    Args:
        default: The token or tokens in the model's config, which hold where that has none.
    """
    settings = json_file.read_or_empty(folder.path / "generation_config.json")
    eos = settings.get("eos_token_id", default)
    given = eos if isinstance(eos, list) else [eos]
    return frozenset(token for token in given if isinstance(token, int))


def load_model(folder: ModelFolder, dtype: "torch.dtype | None" = None) -> "PreTrainedModel":
    """Load the weights for inference.

    On a graphics card in bfloat16, or in 4 bits (`quantised`); elsewhere in float32
    (`core.runtime.device`). `dtype` overrides both.
    """
    hush()
    devices.disable_cudnn_attention()
    from transformers import AutoModelForCausalLM

    packed = dtype is None and quantised(folder).four_bit
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder.path,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            **(quantization.options() if packed else {"dtype": dtype or devices.dtype()}),
        )
    except Exception as error:
        title = _("The model in {folder} could not be loaded: {said}")
        raise unloadable(title, folder, error) from error
    if missing := info["missing_keys"]:
        # transformers would silently use random numbers instead.
        raise TuteeError(
            _(
                "The weights in {folder} are incomplete: {count} tensors are missing, "
                "among them {tensor}."
            ).format(folder=folder.path, count=len(missing), tensor=min(missing)),
            _("Fetch the model again, and check that it is one that writes text."),
        )
    if packed:
        return quantization.settled(model.eval())
    return model.eval().to(devices.device())


def quantised(folder: ModelFolder) -> quantization.Choice:
    """Decide whether this machine loads the base in 4 bits, and say why."""
    return quantization.choose(folder.four_bit, weights(folder.path), quantization.card())


def unloadable(title: str, folder: ModelFolder, error: Exception) -> TuteeError:
    """Return an error whose `title` has fields for the folder and what `error` says."""
    # A broken folder fails inside transformers in more ways than can be enumerated.
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return TuteeError(title.format(folder=folder.path, said=said))
