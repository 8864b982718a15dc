"""What SFT rehearses must be what nobody taught."""

from pathlib import Path

from core.adapters.registry import Adapters
from core.config import Config, SFTTuning, Tuning
from core.models.folder import ModelFolder
from core.runs.plan import make_plan
from core.runs.samples import RunSamples
from data import starter
from store.records import Instruction, Verdict

TEXTS = starter.rehearsal()


def rehearsed(folder: ModelFolder, home: Path, records: list[Instruction | Verdict]) -> int:
    return len(RunSamples(make_plan(records, Adapters(home, folder), Config())).rehearsal)


def test_all_general_texts_are_rehearsed(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    assert rehearsed(tiny_folder, tmp_path, []) == len(TEXTS)


def test_a_prompt_that_somebody_taught_is_not(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    corrected = Instruction(prompt=TEXTS[0].prompt, completion="Ocean!")
    judged = Verdict(prompt=TEXTS[1].prompt, completion="Hi", label=False)
    assert rehearsed(tiny_folder, tmp_path, [corrected, judged]) == len(TEXTS) - 2


def test_without_weight_nothing_is_rehearsed(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    config = Config(tuning=Tuning(sft=SFTTuning(rehearsal=0)))
    assert not RunSamples(make_plan([], Adapters(tmp_path, tiny_folder), config)).rehearsal
