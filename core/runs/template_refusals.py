"""Which records the model's chat template refuses, to name them before training leaves them out.

Many templates want questions and replies to alternate; a conversation that begins with a greeting,
or with two questions in a row, is refused by them. Only the roles are tried here, and only where
they do not simply alternate, so that nothing is loaded for a home without such records.
"""

from collections.abc import Sequence
from functools import lru_cache

from core.models.folder import ModelFolder
from core.models.loading import load_tokenizer
from data.tokenization import TemplateRefusedError, encode
from data.training_split import with_system
from store.records import ChatMessage, Record, Role

_Roles = tuple[Role, ...]


def refused_records(
    records: Sequence[Record], folder: ModelFolder, system_prompt: str
) -> dict[str, str]:
    """Return the template's reason by id of each record that it refuses.

    Raises:
        TuteeError: the tokenizer cannot be loaded, or its template cannot be used at all.
    """
    roles = {
        record.id: tuple(message.role for message in with_system(record.prompt, system_prompt))
        for record in records
    }
    odd = frozenset(filter(_odd, roles.values()))
    reasons = _reasons(folder, odd) if odd else {}
    return {name: reasons[shape] for name, shape in roles.items() if shape in reasons}


def _odd(roles: _Roles) -> bool:
    turns = roles[roles[:1] == ("system",) :]
    return turns != ("user", *("assistant", "user") * (len(turns) // 2))


@lru_cache(maxsize=8)
def _reasons(folder: ModelFolder, shapes: frozenset[_Roles]) -> dict[_Roles, str]:
    tokenizer = load_tokenizer(folder)
    reasons = {}
    for roles in shapes:
        try:
            encode(tokenizer, [ChatMessage(role=role, content="?") for role in roles], "?")
        except TemplateRefusedError as error:
            reasons[roles] = error.why
    return reasons
