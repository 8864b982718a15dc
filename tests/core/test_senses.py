"""Models that take pictures beside text: small random ones of the real architectures.

Gemma 3 is among the families that are tried as any other (`tests.families`); these are refused.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.hub.safety import refuse_kind
from core.models.folder import ModelFolder, find
from store.errors import TuteeError

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 400,
}


def qwen_vl() -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
    eye = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "out_hidden_size": 32,
    }
    config = Qwen2_5_VLConfig(text_config={**TEXT, "rope_parameters": rope}, vision_config=eye)
    return Qwen2_5_VLForConditionalGeneration(config)


def mistral_small() -> Any:
    from transformers import Mistral3Config, Mistral3ForConditionalGeneration

    eye = {"model_type": "pixtral", "num_hidden_layers": 2, "image_size": 28, "patch_size": 14}
    eye |= {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "head_dim": 8}
    config = Mistral3Config(
        text_config={**TEXT, "model_type": "mistral", "head_dim": 8}, vision_config=eye
    )
    return Mistral3ForConditionalGeneration(config)


@pytest.mark.parametrize("make", [qwen_vl, mistral_small])
def test_one_whose_text_part_cannot_be_loaded_alone_is_refused(
    make: Callable[[], Any], tiny_folder: ModelFolder, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    model = make()
    model.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_folder.path / name).read_bytes())
    with pytest.raises(TuteeError) as caught:
        find(str(tmp_path), tmp_path, lambda event: None)
    assert f"takes pictures or sound beside text ({type(model).__name__})" in caught.value.title
    assert "Gemma 3" in caught.value.hint
    with pytest.raises(ValueError, match="Unrecognized configuration class"):
        AutoModelForCausalLM.from_pretrained(tmp_path)  # once it can, the refusal is wrong


def test_one_that_writes_no_replies_is_refused() -> None:
    encoder = {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}
    with pytest.raises(TuteeError, match="does not generate text"):
        refuse_kind("The model in x", encoder)
    for kind in ("GPT2LMHeadModel", "LlamaForCausalLM"):
        refuse_kind("The model in x", {"architectures": [kind], "model_type": "gpt2"})
    refuse_kind("The model in x", {"model_type": "anything"})
