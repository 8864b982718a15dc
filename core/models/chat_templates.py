"""Chat templates for models that come without one, which are most often base models.

A base model has only ever continued texts. With a template that marks who speaks it answers after
a fashion, and learns to do it properly from what it is taught, because chat and training use the
same one. Models that know the ChatML tokens get that; the others a plain text with headings, whose
turns end on the model's own end-of-text token.
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


def fitting(path: Path) -> str:
    """The template for the model in `path`, by the special tokens that its tokenizer knows."""
    known = _special(path)
    return CHATML if {"<|im_start|>", "<|im_end|>"} <= known else PLAIN


def _special(path: Path) -> set[str]:
    try:
        settings = json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))
        return {token["content"] for token in settings["added_tokens"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
