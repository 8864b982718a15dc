"""Rewrite an adapter of another tool as plain PEFT would have saved it: the same change of the
same base, under PEFT's names.

- Other names: PEFT looks tensors up by the path of their layer, and passes over what it does not
  find. Wrappers (`_orig_mod`, `language_model`) and the name of the adapter (`lora_A.default`) are
  taken out of the path.
- mlx: matrices the other way round, and a scale in place of alpha.
- Copies of the base's embeddings, which PEFT saves beside a LoRA on them, are checked and left out.
- PiSSA and OLoRA: training moves a part of the base's weights into A and B. That part depends on
  the base alone, so it can be computed again and subtracted, which doubles the rank. It was rounded
  to the precision of training, so as much as that is lost.

Left out on purpose: pickled files, DoRA of mlx, and initializations that depend on data or chance
(CorDA, LoftQ, LoRA-GA, PiSSA by fast SVD). They are refused, because what was taken out of the base
is not known here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core import json_file
from core.adapters.peft_files import CONFIG, WEIGHTS, config_problem, keeps_base
from store.errors import TuteeError
from store.i18n import _

MLX_WEIGHTS = "adapters.safetensors"

_WRAPPERS = {"base_model", "model", "language_model", "text_model", "module", "_orig_mod"}
"""Parts of a layer's path that depend on what it was wrapped in while it was trained."""
_PREFIX = "base_model.model."
_LEAF = re.compile(
    r"(?P<layer>.+?)\.(?P<leaf>(?:lora_(?:embedding_)?[AB]|lora_magnitude_vector|base_layer)\b)"
    r"(?:\.(?!weight$|bias$)[^.]+)?(?P<last>\.weight|\.bias)?"
)
_MLX_LEAF = re.compile(r"(?P<layer>.+)\.lora_(?P<side>[ab])")
_RECOMPUTED = ("pissa", "olora")


def read_config(source: Path) -> dict[str, Any]:
    """Return the PEFT config of the adapter in `source`, that of mlx in PEFT's terms.

    Raises:
        TuteeError: there is no adapter, it is not LoRA, or its weights are not safetensors.
    """
    config = json_file.read(source / CONFIG)
    if config is None:
        raise TuteeError(
            _("{source} contains no adapter: it has no adapter_config.json.").format(source=source),
            _("Give the folder that PEFT or TRL saved the adapter to, such as `out/sft`."),
        )
    if "peft_type" not in config and "lora_parameters" in config:
        config = _mlx_config(config)
    weights = WEIGHTS if "mlx" not in config else MLX_WEIGHTS
    if not (source / weights).is_file():
        raise TuteeError(
            _("The adapter in {source} has no {file}.").format(source=source, file=weights),
            _instead(source),
        )
    if config.get("peft_type") != "LORA":
        raise TuteeError(
            _("The adapter in {source} is {kind}; Tutee uses LoRA.").format(
                source=source, kind=config.get("peft_type") or _("of an unknown kind")
            )
        )
    if problem := config_problem(config):
        raise TuteeError(
            _("The adapter in {source} cannot be used: {why}.").format(source=source, why=problem),
            _("Save it again with the tool that trained it."),
        )
    init = config.get("init_lora_weights")
    if not keeps_base(config) and init not in _RECOMPUTED:
        raise TuteeError(
            _(
                "The adapter in {source} was trained on changed weights of its base "
                "(init_lora_weights: {kind}), and how they were changed is not stored with it."
            ).format(source=source, kind=init),
            _(
                "Convert it where it was trained: `save_pretrained` of PEFT with "
                "path_initial_model_for_weight_conversion."
            ),
        )
    return config


def _mlx_config(config: Mapping[str, Any]) -> dict[str, Any]:
    given = config["lora_parameters"]
    given = given if isinstance(given, dict) else {}
    rank, scale = given.get("rank", 8), given.get("scale", given.get("alpha", 20.0))
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (rank, scale))
    kind = config.get("fine_tune_type", "lora")
    return {
        "peft_type": "LORA" if kind == "lora" else f"{kind} (mlx)",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": scale * rank if numbers else scale,
        "bias": "none",
        "mlx": True,
    }


def _instead(source: Path) -> str:
    """Return what to do about weights that are missing."""
    names = [path.name for path in source.iterdir()]
    if any(name.endswith((".bin", ".pt", ".pth", ".pkl", ".npz")) for name in names):
        return _(
            "Its weights are pickled, which can run code when opened: save it again as safetensors."
        )
    if any(name.endswith(".gguf") for name in names):
        return _("It has a GGUF file, which cannot be trained further: give PEFT's own files.")
    if any(name.endswith(".safetensors") for name in names):
        return _("Rename its weights to {file} if they are LoRA in PEFT's form.").format(
            file=WEIGHTS
        )
    return _("Wait for its training to finish.")


def in_peft_form(source: Path, config: Mapping[str, Any], base: Any, scratch: Path) -> Path:
    """Return a folder with the adapter in `source` as PEFT reads it for the model `base`: `source`
    itself, or `scratch` with a rewritten copy.

    Raises:
        TuteeError: it belongs to another base, or has no tensor of LoRA.
    """
    from safetensors.torch import load_file

    is_mlx = "mlx" in config
    given = load_file(source / (MLX_WEIGHTS if is_mlx else WEIGHTS))
    layers = dict(base.named_modules())
    tensors = dict(_from_mlx(given, layers) if is_mlx else _renamed(given, layers))
    tensors = {
        name: values
        for name, values in tensors.items()
        if not _copies_base(source, name, values, layers)
    }
    _require_shapes(source, config, tensors, layers)
    if tensors.keys() == given.keys():
        return source
    changed = {name for name in tensors if name not in given and ".lora_" in name}
    written = {name: value for name, value in config.items() if name != "mlx"}
    if changed:
        written["target_modules"] = sorted({_layer(name) for name in tensors if ".lora_" in name})
    return _write(scratch, written, tensors)


def without_moved_weights(adapter: Path, base: Any, scratch: Path) -> Path:
    """Return a folder (`scratch`) with a LoRA for the base as it is, made of one in PEFT's form
    that was trained with PiSSA or OLoRA. `base` is changed by that, and of no more use.

    Raises:
        TuteeError: it has ranks of its own for some layers.
    """
    import torch
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
    from safetensors.torch import load_file

    config = json_file.read(adapter / CONFIG) or {}
    if any(config.get(name) for name in ("rank_pattern", "alpha_pattern", "use_dora")):
        raise TuteeError(
            _("{kind} together with DoRA or ranks of single layers cannot be converted.").format(
                kind=config["init_lora_weights"]
            ),
            _(
                "Convert it where it was trained: `save_pretrained` of PEFT with "
                "path_initial_model_for_weight_conversion."
            ),
        )
    settings = LoraConfig.from_pretrained(str(adapter))
    settings.inference_mode = False
    start = get_peft_model_state_dict(
        get_peft_model(base, settings, autocast_adapter_dtype=False), save_embedding_layers=False
    )
    tensors = {}
    for name, values in load_file(adapter / WEIGHTS).items():
        if ".lora_A." in name:
            values = torch.cat([values.float(), start[name].float().cpu()])
        elif ".lora_B." in name:
            values = torch.cat([values.float(), -start[name].float().cpu()], 1)
        tensors[name] = values.contiguous()
    rank, alpha = config.get("r", 8), config.get("lora_alpha", 8)
    scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
    changes = {"r": 2 * rank, "lora_alpha": scale * 2 * rank, "use_rslora": False}
    return _write(scratch, {**config, **changes, "init_lora_weights": True}, tensors)


def _write(scratch: Path, config: Mapping[str, Any], tensors: Mapping[str, Any]) -> Path:
    from safetensors.torch import save_file

    scratch.mkdir()
    save_file(dict(tensors), scratch / WEIGHTS, {"format": "pt"})
    (scratch / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    return scratch


# -- names -----------------------------------------------------------------------------------------


def _renamed(given: Mapping[str, Any], layers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tensors under PEFT's names; those of layers that are not found keep theirs."""
    for name, values in given.items():
        found = _LEAF.fullmatch(name)
        layer = _found(found["layer"], layers) if found else None
        if found is None or layer is None:
            yield name, values
        else:
            yield f"{_PREFIX}{layer}.{found['leaf']}{found['last'] or ''}", values


def _from_mlx(given: Mapping[str, Any], layers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, values in given.items():
        found = _MLX_LEAF.fullmatch(name)
        layer = _found(found["layer"], layers) if found else None
        if found is None or layer is None:
            yield name, values
        else:
            yield f"{_PREFIX}{layer}.lora_{found['side'].upper()}.weight", values.t().contiguous()


def _found(path: str, layers: Mapping[str, Any]) -> str | None:
    """Return the name of the layer at `path` in the model; None if there is none."""
    parts = path.split(".")
    while True:
        rest = ".".join(parts)
        if rest in layers:
            return rest
        ends = [layer for layer in layers if layer.endswith(f".{rest}")]
        if len(ends) == 1 and set(ends[0].removesuffix(rest)[:-1].split(".")) <= _WRAPPERS:
            return ends[0]
        if len(parts) == 1 or parts[0] not in _WRAPPERS:
            return None
        del parts[0]


def _layer(name: str) -> str:
    return name.removeprefix(_PREFIX).partition(".lora_")[0]


# -- checks ----------------------------------------------------------------------------------------


def _copies_base(source: Path, name: str, values: Any, layers: Mapping[str, Any]) -> bool:
    """Whether this is a copy of the base's own weights, which are frozen beside a LoRA.

    Raises:
        TuteeError: its base had other ones.
    """
    import torch

    path = name.removeprefix(_PREFIX)
    layer = path.removesuffix(".base_layer.weight")
    if layer == path or layer not in layers:
        return False
    own = layers[layer].weight
    if values.shape != own.shape:
        raise _misfit(source, name, values.shape, own.shape)
    # It was rounded to the precision of training.
    if not torch.allclose(values.float(), own.float().cpu(), rtol=0.01, atol=1e-3):
        raise TuteeError(
            _(
                "The adapter in {source} was trained on other weights than this model has: its "
                "copy of {tensor} differs."
            ).format(source=source, tensor=layer),
            _("Choose the model it was trained on, then add it again."),
        )
    return True


def _require_shapes(
    source: Path, config: Mapping[str, Any], tensors: Mapping[str, Any], layers: Mapping[str, Any]
) -> None:
    """Refuse LoRA whose matrices do not have the shape of their layers."""
    if not any(".lora_" in name for name in tensors):
        raise TuteeError(
            _("The adapter in {source} has no tensors of LoRA, only {tensor}.").format(
                source=source, tensor=min(tensors, default=_("an empty file"))
            ),
            _("Give the folder that PEFT or TRL saved the adapter to, such as `out/sft`."),
        )
    for name, values in tensors.items():
        path = name.removeprefix(_PREFIX)
        layer, _dot, leaf = path.partition(".lora_")
        wanted: tuple[int, ...] | None = None
        if leaf and layer in layers:
            rank = values.shape[-1 if leaf.startswith(("B.", "embedding_B")) else 0]
            rank = rank if config.get("rank_pattern") else config.get("r", 8)
            wanted = _shape_of_pair(layers[layer], leaf, rank)
        elif path.removesuffix(".weight") in layers:
            own = getattr(layers[path.removesuffix(".weight")], "weight", None)
            wanted = None if own is None else tuple(own.shape)
        if wanted is not None and tuple(values.shape) != wanted:
            raise _misfit(source, name, values.shape, wanted)


def _shape_of_pair(layer: Any, leaf: str, rank: int) -> tuple[int, ...] | None:
    """Return the shape of a LoRA matrix of `layer`; None where that is not known here."""
    import torch

    if isinstance(layer, torch.nn.Linear):
        sizes = {"A.weight": (rank, layer.in_features), "B.weight": (layer.out_features, rank)}
        return sizes.get(leaf)
    if isinstance(layer, torch.nn.Embedding):
        sizes = {
            "embedding_A": (rank, layer.num_embeddings),
            "embedding_B": (layer.embedding_dim, rank),
        }
        return sizes.get(leaf)
    return None


def _misfit(source: Path, name: str, given: Any, wanted: Any) -> TuteeError:
    """Return the error for a tensor of the wrong shape."""
    longer = any(part in name for part in ("embed", "lm_head")) and max(given) > max(wanted)
    return TuteeError(
        _(
            "The adapter in {source} does not fit: {tensor} is {given}, and here it must be "
            "{wanted}."
        ).format(source=source, tensor=name, given=_shape(given), wanted=_shape(wanted)),
        _(
            "It was trained with a longer vocabulary: tokens were added to its base. Choose the "
            "base with those tokens, then add it again."
        )
        if longer
        else _("Choose the model it was trained on, then add it again."),
    )


def _shape(sizes: Any) -> str:
    return " x ".join(str(int(size)) for size in sizes)
