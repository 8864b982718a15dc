"""How long records are for a model, so that what training would leave out is known beforehand."""

import json
from collections.abc import Sequence

from core.config import Config, Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer
from data.tokenization import Tokenizer, encode
from data.training_split import with_system
from store.errors import TuteeError
from store.records import ChatMessage, Preference, Record

_BYTES_A_TURN = 64
"""What a template puts around each, at the most; see `_surely_fits`."""
_BYTES_A_PROMPT = 512
"""Room for a system prompt that a template brings along."""


def limit(folder: ModelFolder, tuning: Tuning) -> int:
    """Tokens of prompt and reply that training takes and the model's context holds.

    A window of attention bounds them too: packed rows know none (`core.training.packing`).
    """
    try:
        settings = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    settings = settings.get("text_config", settings)
    bounds = [tuning.max_length, settings.get("max_position_embeddings")]
    if settings.get("use_sliding_window", True):
        bounds.append(settings.get("sliding_window"))
    return min(bound for bound in bounds if bound)


def lengths(records: Sequence[Record], folder: ModelFolder, config: Config) -> dict[str, int]:
    """Tokens by record id; records that surely fit are not measured, which saves most of the time.

    A conversation that the model's template refuses is not measured either.

    Raises:
        TuteeError: the tokenizer cannot be loaded.
    """
    most = limit(folder, config.tuning)
    system = config.chat.system_prompt
    long = [record for record in records if not _surely_fits(record, system, most)]
    if not long:
        return {}
    tokenizer = load_tokenizer(folder)
    found = {}
    for record in long:
        try:
            found[record.id] = _length(record, tokenizer, system)
        except TuteeError:
            continue
    return found


def _length(record: Record, tokenizer: Tokenizer, system: str) -> int:
    prompt = with_system(record.prompt, system)
    return max(len(encode(tokenizer, prompt, reply).input_ids) for reply in _replies(record))


def _surely_fits(record: Record, system: str, most: int) -> bool:
    """No token is less than a byte of text."""
    turns = (*with_system(record.prompt, system), *_longest(record))
    size = sum(len(turn.content.encode("utf-8")) + _BYTES_A_TURN for turn in turns)
    return size + _BYTES_A_PROMPT <= most


def _longest(record: Record) -> tuple[ChatMessage]:
    reply = max(_replies(record), key=lambda text: len(text.encode("utf-8")))
    return (ChatMessage(role="assistant", content=reply),)


def _replies(record: Record) -> tuple[str, ...]:
    if isinstance(record, Preference):
        return (record.chosen, record.rejected)
    return (record.completion,)
