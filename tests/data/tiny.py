"""Tokenizers small enough to build in a test, with the chat templates of real models."""

import copy
import functools

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

SMOLLM2 = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN15 = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN25 = (
    "{%- if messages[0]['role'] == 'system' %}\n"
    "    {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}\n"
    "{%- else %}\n"
    "    {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
    "assistant.<|im_end|>\n' }}\n"
    "{%- endif %}\n"
    "{%- for message in messages %}\n"
    "    {%- if (message.role == 'user') or (message.role == 'system' and not loop.first)"
    " or (message.role == 'assistant' and not message.tool_calls) %}\n"
    "        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\n' }}\n"
    "{%- endif %}\n"
)
GEMMA = (
    "{{ '<bos>' }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
LLAMA3 = (
    "{{ '<|begin_of_text|>' }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA2 = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '<s>[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + ' </s>' }}"
    "{% else %}{{ raise_exception('System role not supported') }}{% endif %}{% endfor %}"
)
THINKING = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
)
SEPARATING = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{{ '<Reply>' + message['content'] + '<eos>' }}{% elif message['role'] == 'user' %}"
    "{{ '<User>' + message['content'] }}{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<Reply>' }}{% endif %}"
)
TAG = "<h1>"
PLAIN = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


@functools.cache
def tokenizer(
    template: str | None, special: tuple[str, ...], eos: str | None, pad: str | None = None
) -> PreTrainedTokenizerFast:
    """A byte-level BPE whose only merges are two line feeds and two spaces.

    Called plainly it puts its first special token in front, as tokenizers with a bos do.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ċ", "Ċ"), ("Ġ", "Ġ")]
    pieces = [*alphabet, *("".join(pair) for pair in merges)]
    model = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    model.decoder = decoders.ByteLevel()
    model.add_special_tokens([AddedToken(token, special=True) for token in special])
    if special:
        model.post_processor = processors.TemplateProcessing(
            single=f"{special[0]} $A",
            special_tokens=[(special[0], model.token_to_id(special[0]))],
        )
    built = PreTrainedTokenizerFast(tokenizer_object=model, eos_token=eos, pad_token=pad or eos)
    built.chat_template = template
    return built


def smollm2() -> PreTrainedTokenizerFast:
    """ChatML; padding, eos and the end of turn are one token."""
    return tokenizer(SMOLLM2, ("<|im_start|>", "<|im_end|>"), "<|im_end|>")


def qwen15() -> PreTrainedTokenizerFast:
    """ChatML; eos and padding are not the end of turn."""
    return tokenizer(QWEN15, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|endoftext|>")


def qwen25() -> PreTrainedTokenizerFast:
    """ChatML whose padding is not the end of turn, but eos is; with a system prompt of its own."""
    return tokenizer(
        QWEN25, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_end|>", "<|endoftext|>"
    )


@functools.cache
def sentencepiece(template: str, special: tuple[str, ...], strips: bool) -> PreTrainedTokenizerFast:
    """Not byte-level: a space is `▁`, and a character it lacks is the bytes of it.

    Args:
        strips: Whether decoding drops the space a text begins with.
    """
    pieces = [*special, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁\n", "\n\n"]
    pieces += [chr(code) for code in range(33, 127)]
    model = Tokenizer(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=[("\n", "\n")],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    model.normalizer = normalizers.Replace(" ", "▁")
    strip = [decoders.Strip(" ", 1, 0)] if strips else []
    model.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    model.add_special_tokens([AddedToken(token, special=True) for token in special])
    built = PreTrainedTokenizerFast(
        tokenizer_object=model, eos_token=special[0], pad_token=special[-1]
    )
    built.chat_template = template
    return built


def gemma() -> PreTrainedTokenizerFast:
    """Trims what is said, calls the assistant model, and takes no system message."""
    special = ("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<pad>")
    return sentencepiece(GEMMA, special, strips=False)


def llama3() -> PreTrainedTokenizerFast:
    """Trims what is said; eos is not the end of turn."""
    special = (
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    )
    return tokenizer(LLAMA3, special, "<|end_of_text|>")


def llama2() -> PreTrainedTokenizerFast:
    """Puts spaces around the reply, and takes no system message."""
    return tokenizer(LLAMA2, ("<s>", "</s>"), "</s>")


def stripping() -> PreTrainedTokenizerFast:
    """As `llama2`, and decoding drops the space a text begins with."""
    return sentencepiece(LLAMA2, ("</s>", "<s>"), strips=True)


@functools.cache
def prefixing() -> PreTrainedTokenizerFast:
    """As Llama 2's first one: a space before any text, also after each special token."""
    built = copy.deepcopy(sentencepiece(LLAMA2, ("</s>", "<s>"), strips=False))
    space = normalizers.Prepend("▁")
    built.backend_tokenizer.normalizer = normalizers.Sequence(
        [space, normalizers.Replace(" ", "▁")]
    )
    return built


@functools.cache
def separating() -> PreTrainedTokenizerFast:
    """Its markers are not special tokens, as DeepSeek's, and it has one token of HTML."""
    built = copy.deepcopy(tokenizer(SEPARATING, ("<eos>",), "<eos>"))
    built.add_tokens([AddedToken(token, special=False) for token in ("<User>", "<Reply>", TAG)])
    return built


def thinking() -> PreTrainedTokenizerFast:
    """Opens the reply in a way that is not there once the reply is."""
    return tokenizer(THINKING, ("<|im_start|>", "<|im_end|>"), "<|im_end|>")


def plain() -> PreTrainedTokenizerFast:
    """Has no end of turn."""
    return tokenizer(PLAIN, ("<eos>",), "<eos>")
