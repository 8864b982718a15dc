"""A process that trains and is killed in the middle of it, for `test_runs`.

    python -m tests.core.killed MODELS BASE RECORDS PASS STEP

begins the run, or goes on with the one it finds, and ends by SIGKILL in step STEP of the pass PASS.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from pydantic import TypeAdapter

from core.adapters.registry import Adapters
from core.config import Config, PreferenceTuning, RewardTuning, RLTuning, SFTTuning, Tuning
from core.events import Event, PassName, StepReport
from core.models.folder import find
from core.runs import run, saved_run
from core.runs.plan import Plan, make_plan
from core.training.run_control import RunControl
from store.records import Record

CONFIG = Config(
    tuning=Tuning(
        epochs=2,
        batch_size=2,
        max_length=256,
        dropout=0.1,
        sft=SFTTuning(minimum_steps=2),
        preference=PreferenceTuning(minimum_steps=2),
        reward=RewardTuning(learning_rate=2e-2),
        rl=RLTuning(steps=4, prompts=2, generations=2, max_new_tokens=6, kl_limit=99),
    )
)
PASSES: tuple[PassName, ...] = ("sft", "kto", "dpo", "reward", "rl")
RECORDS = TypeAdapter(list[Record])


@contextmanager
def conditions() -> Iterator[None]:
    """Checkpoints often, a short exam, and replies of the random model that end sooner or later."""
    stop = frozenset(range(0, 400, 2))
    with (
        patch("core.training.checkpoints.EVERY_STEPS", 2),
        patch("core.training.exam.PROBE_TOKENS", 4),
        patch("core.training.exam.LONGEST_REPLY", 4),
        patch("core.training.rloo_trainer.stop_ids", lambda tokenizer: stop),
        patch(
            "core.training.bf16_base.has_bf16_instructions", lambda: False
        ),  # as in the other tests on this model
    ):
        yield


def planned(adapters: Adapters, records: list[Record]) -> Plan:
    return make_plan(records, adapters, CONFIG, frozenset(PASSES))


def main(models: str, base: str, records_file: str, name: str, step: str) -> None:
    folder = find(base, Path(base).parent, lambda event: None)
    adapters = Adapters(Path(models), folder)
    records = RECORDS.validate_json(Path(records_file).read_bytes())

    def emit(event: Event) -> None:
        if isinstance(event, StepReport) and (event.name, event.step) == (name, float(step)):
            os.kill(os.getpid(), signal.SIGKILL)

    with conditions():
        found = saved_run.unfinished(adapters, records)
        if found:
            run.resume(found, RunControl(emit=emit))
        else:
            run.run(planned(adapters, records), RunControl(emit=emit))


if __name__ == "__main__":
    main(*sys.argv[1:])
