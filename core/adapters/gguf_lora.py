"""Write an adapter version as a LoRA file for llama.cpp: `--lora FILE` beside the base's own GGUF.

A few megabytes instead of a whole merged model. The layout is that of llama.cpp's
`convert_lora_to_gguf.py`, for the families of `core.models.gguf_export`; a test holds that
llama.cpp gives the same probabilities. Ollama reads no such file any more: it needs a merged model.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.adapters.manifest import BASE
from core.adapters.peft_files import is_plain, read_config, unreadable
from core.adapters.registry import Adapters
from core.models.gguf_export import architecture_of, interleaved
from store.errors import TuteeError
from store.i18n import _

_PREFIX = "base_model.model."
_PARTS = (("A", "lora_a"), ("B", "lora_b"))
"""Names of the two matrices in PEFT and in llama.cpp."""


def write(adapters: Adapters, version: str, file: Path) -> None:
    """Write `version` to `file`, which must not exist.

    Raises:
        TuteeError: the version is the base, is a reward model, is no plain LoRA, or is of a family
            that cannot be written; the file exists, or the disk refuses.
    """
    manifest = adapters.manifest(version)
    directory = adapters.path(version)
    if directory is None or manifest.version == BASE:
        raise TuteeError(_("The base is the original model, not a trained version."))
    if manifest.kind == "reward" or not is_plain(directory):
        raise TuteeError(
            _("{version} is no plain LoRA adapter, so llama.cpp cannot load it.").format(
                version=version
            ),
            _("`tutee adapters merge` writes a whole model."),
        )
    folder = adapters.folder
    config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    architecture = architecture_of(folder, config)
    tensors = dict(_tensors(directory, config, architecture))
    if file.exists():
        raise TuteeError(
            _("{file} exists already.").format(file=file), _("Choose another file with --output.")
        )
    try:
        _write(file, architecture, _alpha(directory), tensors)
    except OSError as error:
        raise TuteeError(
            _("Could not write {file}: {why}.").format(file=file, why=error)
        ) from error


def _write(file: Path, architecture: str, alpha: float, tensors: dict[str, Any]) -> None:
    import gguf

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(str(file), architecture)
    try:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        for name, values in tensors.items():
            writer.add_tensor(name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    file.chmod(0o600)


def _alpha(directory: Path) -> float:
    """Return alpha as llama.cpp takes it: the output is scaled by alpha / rank."""
    settings = read_config(directory)
    rank, alpha = settings["r"], settings["lora_alpha"]
    return float(alpha * rank**0.5 if settings.get("use_rslora") else alpha)


def _tensors(
    directory: Path, config: dict[str, Any], architecture: str
) -> Iterator[tuple[str, Any]]:
    """Yield name and values (float32) of each matrix in llama.cpp's layout.

    The rank is the first axis of A and the second of B.
    """
    import gguf
    from safetensors.torch import load_file

    kind = gguf.MODEL_ARCH[architecture.upper()]
    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    heads = config["num_attention_heads"]
    counts = {"q_proj": heads, "k_proj": config.get("num_key_value_heads") or heads}
    try:
        tensors = load_file(directory / "adapter_model.safetensors")
    except Exception as error:
        # A damaged file fails in many ways.
        raise unreadable(directory, error) from error
    for name, values in tensors.items():
        module, _dot, part = name.removesuffix(".weight").rpartition(".")
        suffix = {f"lora_{peft}": ours for peft, ours in _PARTS}.get(part)
        found = names.get_name(module.removeprefix(_PREFIX))
        tied = module.endswith("lm_head") and config.get("tie_word_embeddings")
        if suffix is None or found is None or tied:
            raise unreadable(directory, ValueError(_("llama.cpp has no {name}").format(name=name)))
        matrix = values.float().numpy()
        projection = module.rpartition(".")[2]
        if suffix == "lora_b" and architecture == "llama" and projection in counts:
            matrix = interleaved(matrix, counts[projection])
        yield f"{found}.weight.{suffix}", matrix
