"""How long records are in a model's tokens, to know beforehand what training would leave out."""

import json
from collections.abc import Sequence

from core.config import Config, Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer
from data.prompt_fitting import fit_samples
from data.tokenization import Tokenizer
from data.training_split import with_system
from store.errors import TuteeError
from store.records import Preference, Record

_BYTES_PER_MESSAGE = 64
"""Upper bound of what a template adds to a message; see `_surely_fits`."""
_BYTES_PER_PROMPT = 512
"""Room for a system prompt that a template adds itself."""
_CHARACTERS_PER_MESSAGE = 12
"""About what a template adds to a message."""


def limit(folder: ModelFolder, tuning: Tuning) -> int:
    """Return how many tokens of prompt and reply training accepts and the model's context holds.

    A sliding window bounds them too: packed rows do not support one (`core.training.packing`).
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
    """Return tokens by record id, of the records that may be too long.

    A long conversation counts as training sees it, shortened (`data.prompt_fitting`). Records that
    surely fit are left out, which saves most of the time, and so are conversations that the model's
    template refuses.

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
            found[record.id] = _length(record, tokenizer, system, most)
        except TuteeError:
            continue
    return found


def _length(record: Record, tokenizer: Tokenizer, system: str, most: int) -> int:
    samples = fit_samples(tokenizer, with_system(record.prompt, system), _replies(record), most)
    return max(len(sample.input_ids) for sample in samples)


def _surely_fits(record: Record, system: str, most: int) -> bool:
    """Whether the record fits even if every byte of it were a token."""
    texts = [message.content for message in with_system(record.prompt, system)]
    size = sum(len(text.encode("utf-8")) + _BYTES_PER_MESSAGE for text in texts)
    reply = max(len(reply.encode("utf-8")) for reply in _replies(record)) + _BYTES_PER_MESSAGE
    return size + reply + _BYTES_PER_PROMPT <= most


def characters(record: Record) -> int:
    """Return the characters of prompt and replies, about a third of which are tokens."""
    prompt = sum(len(message.content) + _CHARACTERS_PER_MESSAGE for message in record.prompt)
    return prompt + sum(map(len, _replies(record)))


def _replies(record: Record) -> tuple[str, ...]:
    if isinstance(record, Preference):
        return (record.chosen, record.rejected)
    return (record.completion,)
