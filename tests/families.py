"""Small random models of the families people bring, each with its family's own chat template."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.data import tiny

QWEN3 = (
    "{%- for message in messages %}"
    "{%- if message.role == 'assistant' and loop.last %}"
    "{{- '<|im_start|>assistant\n<think>\n\n</think>\n\n' + message.content + '<|im_end|>\n' }}"
    "{%- else %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}"
)
"""Qwen3's, without its tools: a reply that is the last one has an empty thought before it."""
MISTRAL = (
    "{{ '<s>' }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + '</s>' }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}"
    "{% endfor %}"
)
"""Mistral-7B-Instruct-v0.1's."""
PHI3 = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
"""Phi-3.5-mini-instruct's."""


@dataclass(frozen=True)
class Family:
    """How a small model of it is made."""

    name: str
    config: str
    """Name of its config class in transformers."""
    tokenizer: Callable[[], Any]
    settings: dict[str, Any] = field(default_factory=dict)
    within: Callable[[Any], Any] = lambda config: config
    """Puts its settings into those of a model that takes more than text."""


def sees(text: Any) -> Any:
    """The settings of a Gemma 3 that takes pictures, too, with a small eye."""
    from transformers import Gemma3Config

    eye = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 28,
        "patch_size": 14,
    }
    return Gemma3Config(text_config=text, vision_config=eye, mm_tokens_per_image=4)


_GEMMA3 = {
    "head_dim": 16,
    "query_pre_attn_scalar": 16,
    "sliding_window": 512,
    "layer_types": ["sliding_attention", "full_attention"],
}

FAMILIES = (
    Family("smollm2", "LlamaConfig", tiny.smollm2, {"tie_word_embeddings": True}),
    Family("llama3", "LlamaConfig", tiny.llama3, {"rope_theta": 500000.0}),
    Family("qwen1.5", "Qwen2Config", tiny.qwen15, {"num_key_value_heads": 4}),
    Family("qwen2.5", "Qwen2Config", tiny.qwen25, {"tie_word_embeddings": True}),
    Family(
        "qwen3",
        "Qwen3Config",
        lambda: tiny.tokenizer(
            QWEN3, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_end|>", "<|endoftext|>"
        ),
        {"head_dim": 16},
    ),
    Family(
        "mistral",
        "MistralConfig",
        lambda: tiny.sentencepiece(MISTRAL, ("</s>", "<s>"), strips=True),
        {"sliding_window": 4096},
    ),
    Family("gemma", "GemmaConfig", tiny.gemma, {"head_dim": 16}),
    Family(
        "gemma2",
        "Gemma2Config",
        tiny.gemma,
        {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 512},
    ),
    Family("gemma3", "Gemma3TextConfig", tiny.gemma, _GEMMA3),
    Family("gemma3-sees", "Gemma3TextConfig", tiny.gemma, _GEMMA3, sees),
    Family(
        "phi3",
        "Phi3Config",
        lambda: tiny.tokenizer(
            PHI3,
            ("<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
            "<|endoftext|>",
        ),
    ),
)


def make(family: Family, path: Path, **settings: Any) -> None:
    """Write a model of `family` to `path`, always the same one.

    Args:
        settings: Of its config, in place of the small ones.
    """
    from core.runtime.library_logging import hush

    hush()
    import torch
    import transformers

    tokenizer = family.tokenizer()
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": False,
        "initializer_range": 0.3,
        **family.settings,
        **settings,
    }
    config = getattr(transformers, family.config)(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **shape,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(family.within(config))
        # A fresh model has zeros for padding, which in many families is the end of turn, too.
        model.get_input_embeddings().weight.data.normal_(std=shape["initializer_range"])
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
