"""The base's own replies: what the model would say if nobody had taught it.

Training is kept near them (`core.training.rehearsal`) and a version's drift is measured on them.
They are the base's words, in its own style, where texts by people would reward a change of style.
Drawing them takes longer than reading them, so they are kept on the disk, in the folder of the
base's versions: once a base, not once a run. That folder is named after the revision of the base,
so one that has changed draws its own.

Left out on purpose: sampling. Greedy replies are what the base is surest of, and repeatable.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.events import StageReport
from core.training.run_control import RunControl
from data.tokenization import Sample, stop_ids
from store.errors import TuteeError
from store.records import Sampling
from store.storage import replace_file

FILE = "base_replies.json"
TOKENS = 24
"""Maximum tokens of a brief reply: a sentence or so."""
_TOGETHER = 16
"""Replies drawn side by side, and kept before the next ones are drawn."""
_FEWEST = 12
"""With fewer brief replies than these, the beginnings of the longer ones are taken, too."""
_KEPT = TypeAdapter(dict[str, list[int]])
"""Token ids of a reply, by `_key`."""
_Item = TypeVar("_Item")
_GREEDY = Sampling(temperature=0, repetition_penalty=1.1)


def base_replies(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[tuple[int, ...]],
    directory: Path,
    run_control: RunControl,
    max_new_tokens: int = TOKENS,
) -> list[Sample]:
    """Return the greedy replies of the base to `prompts`, drawn once and kept in `directory`.

    A reply that was cut off has no stop token at its end.

    Args:
        model: A PEFT model; disabling its adapter gives the base.
        prompts: Token ids.
        directory: The folder of all versions of this base.

    Raises:
        Cancelled: `run_control` was cancelled.
    """
    path = directory / FILE
    kept = _read(path)
    keys = [_key(prompt, max_new_tokens) for prompt in prompts]
    unknown = {key: p for key, p in zip(keys, prompts, strict=True) if key not in kept}
    if unknown:
        with run_control.inserted("base", len(unknown)):
            for some in _chunks(list(unknown.items()), _TOGETHER):
                drawn = _draw(model, tokenizer, [p for _, p in some], run_control, max_new_tokens)
                kept |= zip((key for key, _ in some), drawn, strict=True)
                done = sum(key in kept for key in unknown)
                run_control.emit(StageReport("base", done, len(unknown)))
                with suppress(OSError, TuteeError):  # then they are drawn again next time
                    directory.mkdir(parents=True, exist_ok=True)
                    replace_file(path, _KEPT.dump_json(kept))
    return [
        Sample((*prompt, *kept[key]), len(prompt))
        for key, prompt in zip(keys, prompts, strict=True)
    ]


def brief_replies(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[tuple[int, ...]],
    directory: Path,
    run_control: RunControl,
    later: Sequence[tuple[int, ...]] = (),
) -> list[Sample | None]:
    """Return the replies of the base to `prompts` that are brief, without the token that ends them.

    A brief reply says what the base knows, which is the first thing to go. In longer replies, and
    in how a reply ends, lie its manners, which somebody may well have wanted to change. None stands
    for a longer reply, unless brief ones are few.

    Args, Raises: as for `base_replies`; and
        later: Prompts whose replies are needed later in the run, drawn in the same stage.
    """
    stop = stop_ids(tokenizer)
    drawn = base_replies(model, tokenizer, (*prompts, *later), directory, run_control)
    drawn = drawn[: len(prompts)]
    all_of_them = sum(sample.input_ids[-1] in stop for sample in drawn) < _FEWEST
    found: list[Sample | None] = []
    for sample in drawn:
        ended = sample.input_ids[-1] in stop
        kept = Sample(sample.input_ids[:-1], sample.reply_start) if ended else sample
        said = len(kept.input_ids) > kept.reply_start
        found.append(kept if said and (ended or all_of_them) else None)
    return found


def _chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _key(prompt: Sequence[int], max_new_tokens: int) -> str:
    return sha256(repr((tuple(prompt), max_new_tokens)).encode()).hexdigest()[:24]


def _read(path: Path) -> dict[str, list[int]]:
    """Return the kept replies; none if they are missing or damaged, since they can be redrawn."""
    with suppress(OSError, ValidationError):
        return _KEPT.validate_json(path.read_bytes())
    return {}


def _draw(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[tuple[int, ...]],
    run_control: RunControl,
    max_new_tokens: int,
) -> list[list[int]]:
    from core.serving.batch_generation import generate_batch
    from core.serving.sampling import Sampler
    from core.serving.transformers_decoder import prefill_batch

    training = model.training
    model.eval()
    with model.disable_adapter():
        replies = generate_batch(
            functools.partial(prefill_batch, model),
            prompts,
            functools.partial(Sampler, _GREEDY, 0),
            stop_ids(tokenizer),
            max_new_tokens,
            slot=lambda: run_control.scheduler.micro_batch(run_control.cancelled),
        )
    model.train(training)
    return [list(reply) for reply in replies]
