"""What SFT rehearses must be what nobody taught, and a long chat must teach."""

from collections.abc import Sequence
from pathlib import Path

from core.adapters.registry import Adapters
from core.config import Config, Tuning
from core.models.folder import ModelFolder
from core.runs.plan import make_plan
from core.runs.samples import RunSamples
from core.training.run_control import RunControl
from data import starter
from data.prompt_fitting import fit_samples
from data.training_split import with_system
from store.records import ChatMessage, Instruction, Preference, Verdict

TEXTS = starter.rehearsal()
ENGLISH = [text for text in TEXTS if text.language == "en"]


def rehearsed(folder: ModelFolder, home: Path, records: Sequence[Instruction | Verdict]) -> int:
    plan = make_plan(records, Adapters(home, folder), Config())
    return len(RunSamples(plan).rehearsal.prompts)


def test_the_languages_taught_are_rehearsed(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    def taught(*prompts: str) -> int:
        messages = [(ChatMessage(role="user", content=prompt),) for prompt in prompts]
        records = [Instruction(prompt=prompt, completion="no") for prompt in messages]
        return rehearsed(tiny_folder, tmp_path, records)

    english, chinese = len(ENGLISH), len(TEXTS) - len(ENGLISH)
    assert taught("Is it late?") == taught() == taught("Ist es schon spät geworden?") == english
    assert taught("现在很晚了吗？") == chinese
    assert taught("Is it late?", "现在很晚了吗？") == english + chinese


def test_a_prompt_that_somebody_taught_is_not(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    first, second = ((ChatMessage(role="user", content=text.prompt),) for text in ENGLISH[:2])
    corrected = Instruction(prompt=first, completion="Ocean!")
    judged = Verdict(prompt=second, completion="Hi", label=False)
    assert rehearsed(tiny_folder, tmp_path, [corrected, judged]) == len(ENGLISH) - 2


def test_without_weight_nothing_is_rehearsed(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    config = Config(tuning=Tuning(rehearsal=0))
    plan = RunSamples(make_plan([], Adapters(tmp_path, tiny_folder), config)).rehearsal
    assert plan.begin(None, RunControl()) is None


def test_a_correction_deep_in_a_long_chat_teaches(tiny_folder: ModelFolder, tmp_path: Path) -> None:
    config = Config(tuning=Tuning(max_length=128))
    chat = tuple(
        ChatMessage(role=role, content=f"{role} {n} and more words")
        for n in range(30)
        for role in ("user", "assistant")
    )[:-1]
    endless = (ChatMessage(role="user", content="word " * 200),)
    right = Instruction(prompt=chat, completion="Paris.")
    pair = Preference(prompt=chat, chosen="Paris.", rejected="It is London, as far as I know.")
    lost = Instruction(prompt=endless, completion="Paris.")
    plan = make_plan([right, pair, lost], Adapters(tmp_path, tiny_folder), config)
    samples = RunSamples(plan)
    replies = samples.replies([right, lost])
    prompt = with_system(chat, config.chat.system_prompt)
    assert replies == {
        right.id: fit_samples(samples.tokenizer, prompt, ["Paris."], samples.limit)[0]
    }
    assert len(replies[right.id].input_ids) <= 128
    chosen, rejected = samples.pairs([pair])[pair.id]
    start = chosen.reply_start
    assert chosen.input_ids[:start] == rejected.input_ids[: rejected.reply_start]
    (rollout,) = samples.prompts([chat, endless])
    assert len(rollout) <= 128 - config.tuning.rl.max_new_tokens
    (question,) = samples.taught([right])
    assert question.prompt == replies[right.id].input_ids[: replies[right.id].reply_start]
