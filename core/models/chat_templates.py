"""Chat templates for models that come without one, which are mostly base models.

A base model only continues text. With a template that marks who speaks it answers after a fashion,
and learns to do it properly from feedback, because chat and training use the same template. Models
that know the ChatML tokens get ChatML; others get plain text with headings, in which each reply
ends with the model's own end-of-text token.
"""

import json
from pathlib import Path

from store.i18n import N_

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PLAIN = (
    "{% if bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ '### User:\n' + message['content'] + '\n\n' }}"
    "{% else %}{{ '### Assistant:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)
NOTICE = N_(
    "This model came without a chat template, so it is most likely a base model that has not"
    " learned to answer yet. It gets a plain one; teach it, or choose the chat (instruct) variant."
)

NAMED_NOTICE = N_(
    "This model's chat templates are for special uses, such as tools, and none is for plain chat."
    " It gets a plain one; teach it, or choose a variant with a template for chat."
)


def fitting(path: Path) -> str:
    """Choose the template by the special tokens that the tokenizer knows."""
    return CHATML if {"<|im_start|>", "<|im_end|>"} <= _special(path) else PLAIN


def _special(path: Path) -> set[str]:
    try:
        settings = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
        return {token["content"] for token in settings["added_tokens"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
