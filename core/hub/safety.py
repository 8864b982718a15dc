"""Refuse models with pickled weights or code of their own, and models that cannot reply.

The same checks apply to folders and to hub listings, so that nothing is downloaded only to be
refused.
"""

from collections.abc import Collection, Mapping
from typing import Any

from core.runtime.library_logging import hush
from store.errors import TuteeError
from store.i18n import _

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
"""Files of which a tokenizer that transformers can load has at least one."""
_SENSES = ("vision_config", "audio_config", "text_config")
"""Config entries of a model that takes more than text."""
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def refuse_files(where: str, names: Collection[str]) -> None:
    """Refuse a model whose files cannot be used; `where` names it: "The model in /a/folder".

    Raises:
        TuteeError: the config, safetensors weights or tokenizer are missing.
    """
    if not any(name.endswith(".safetensors") for name in names):
        title = _("{where} has no weights in safetensors form.").format(where=where)
        raise TuteeError(title, _instead(names))
    if "config.json" not in names:
        adapter = "adapter_config.json" in names
        raise TuteeError(
            _("{where} holds no model: it has no config.json.").format(where=where),
            _(
                "It is an adapter. Choose the model it was trained on, then take it in "
                "with `tutee adapters add`."
            )
            if adapter
            else _("Choose the one that holds config.json and the weights in safetensors form."),
        )
    if not any(name in names for name in TOKENIZERS):
        raise TuteeError(
            _("{where} has no tokenizer.").format(where=where),
            _(
                "Put the model's tokenizer files ({file} and tokenizer_config.json) "
                "beside its weights."
            ).format(file=TOKENIZERS[0]),
        )


def _instead(names: Collection[str]) -> str:
    """Return what to do about missing safetensors."""
    if any(name.endswith(".gguf") for name in names):
        return _("It has GGUF files: download one, and give Tutee the path of that file.")
    if any(name.endswith(_PICKLED) for name in names):
        return _(
            "Its weights are pickled, which can run code when opened: get or make the "
            "safetensors variant."
        )
    return _("Download its *.safetensors files.")


def refuse_code(where: str, config: Mapping[str, Any]) -> None:
    """Refuse a model that needs code of its own to load, by its `config.json`.

    Raises:
        TuteeError: its architecture is not part of transformers.
    """
    if "auto_map" in config and not _known_to_transformers(config.get("model_type")):
        raise TuteeError(
            _(
                "{where} can only be loaded by running code of its own (auto_map in its "
                "config.json, trust_remote_code elsewhere), which Tutee does not do."
            ).format(where=where),
            _("Use a model whose architecture is part of transformers."),
        )


def refuse_kind(where: str, config: Mapping[str, Any]) -> None:
    """Refuse a model that transformers cannot generate text with, by its `config.json`.

    Raises:
        TuteeError: its architecture does not generate text.
    """
    given = config.get("architectures") or ()
    if not isinstance(given, list | tuple):
        raise TuteeError(
            _("{where} has a config.json whose `architectures` is not a list.").format(where=where),
            _("Fetch the model again; its config.json was changed or is damaged."),
        )
    kinds = [str(kind) for kind in given]
    if not kinds or any(kind.endswith("ForCausalLM") for kind in kinds) or _replies(config):
        return
    if any(name in config for name in _SENSES):
        raise TuteeError(
            _(
                "{where} takes pictures or sound beside text ({kind}), and transformers cannot "
                "load its text part alone."
            ).format(where=where, kind=kinds[0]),
            _("Choose a model for text; of those that also see, Gemma 3 can be used."),
        )
    title = _("{where} does not generate text ({kind}).").format(where=where, kind=kinds[0])
    raise TuteeError(title, _("Choose a model for chat, or for text generation."))


def _replies(config: Mapping[str, Any]) -> bool:
    """Return whether the architecture generates text, whatever its class is called."""
    hush()
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return str(config.get("model_type")) in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES


def _known_to_transformers(model_type: object) -> bool:
    """Return whether transformers has the architecture; old folders may still name code."""
    hush()
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return str(model_type) in CONFIG_MAPPING_NAMES
