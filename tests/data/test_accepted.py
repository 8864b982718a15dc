"""The files are taken as they are by the tools they are for.

`datasets` and TRL's trainers are the real ones, on the tiny model. LLaMA-Factory is not installed:
its reading of a `dataset_info.json` is written down here as its parser and converters do it.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data.exports import Choices, export
from store.records import ChatMessage, Instruction, Preference, Record, RecordKind, Role, Verdict

if TYPE_CHECKING:
    from core.models.folder import ModelFolder

SYSTEM = ChatMessage(role="system", content="Be brief.")


def turns(*texts: str) -> tuple[ChatMessage, ...]:
    """A conversation in which the person speaks first."""
    roles: tuple[Role, Role] = ("user", "assistant")
    return tuple(ChatMessage(role=roles[i % 2], content=text) for i, text in enumerate(texts))


PROMPTS = [
    turns("hello world"),
    (SYSTEM, *turns("你好")),
    turns("the quick fox", "jumps", "over what?"),
    (SYSTEM, *turns("a", "b", "c", "d", "what is 42?")),
]
RECORDS: list[Record] = [
    *(Instruction(prompt=prompt, completion="a lazy dog") for prompt in PROMPTS),
    *(Preference(prompt=prompt, chosen="Paris", rejected="negative") for prompt in PROMPTS),
    *(
        Verdict(prompt=prompt, completion="Paris 42", label=number % 2 == 0)
        for number, prompt in enumerate(PROMPTS)
    ),
]


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Any]:
    """Export a kind of record, and load the file the way everybody does."""
    import core  # noqa: F401 - sets the environment of the libraries below

    def load(kind: RecordKind, name: str | None) -> Any:
        from datasets import load_dataset

        chosen = Choices(kinds=(kind,), format=name)
        (file,) = export(RECORDS, chosen, tmp_path / "out").files
        builder = "csv" if file.path.suffix == ".csv" else "json"
        cache = str(tmp_path / "cache")
        return load_dataset(builder, data_files=str(file.path), split="train", cache_dir=cache)

    return load


# -- TRL -------------------------------------------------------------------------------------------


@pytest.fixture
def step(tiny_folder: "ModelFolder", tmp_path: Path) -> Callable[..., tuple[Any, float]]:
    """Make one optimiser step with one of TRL's trainers on all rows; the trainer and its loss."""
    import trl

    from core.models.loading import load_model, load_tokenizer

    def run(method: str, rows: Any, **own: Any) -> tuple[Any, float]:
        scorer = method == "Reward"
        trainer = getattr(trl, f"{method}Trainer")(
            model=str(tiny_folder.path) if scorer else load_model(tiny_folder),
            args=getattr(trl, f"{method}Config")(
                output_dir=str(tmp_path / "trainer"),
                per_device_train_batch_size=len(rows),
                max_steps=1,
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                **own,
            ),
            train_dataset=rows,
            processing_class=load_tokenizer(tiny_folder),
        )
        return trainer, trainer.train().training_loss

    return run


@pytest.mark.parametrize("name", ["messages", "trl"])
def test_sft_trainer_takes_instructions(loaded: Any, step: Any, name: str) -> None:
    trainer, loss = step("SFT", loaded("instruction", name))
    assert math.isfinite(loss)
    assert loss > 0
    assert len(trainer.train_dataset) == len(PROMPTS)


def test_sft_trainer_learns_the_replies_only(loaded: Any, step: Any) -> None:
    trainer, _ = step("SFT", loaded("instruction", "trl"))
    tokenizer = trainer.processing_class
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learned = tokenizer.decode(ids[labels != -100])
        assert learned.startswith("a lazy dog<|im_end|>")


def test_dpo_trainer_takes_preferences(loaded: Any, step: Any) -> None:
    trainer, loss = step("DPO", loaded("preference", None))
    assert loss == pytest.approx(math.log(2), rel=1e-3)  # the model and its reference still agree
    assert len(trainer.train_dataset) == len(PROMPTS)


def test_reward_trainer_takes_preferences(loaded: Any, step: Any) -> None:
    trainer, loss = step("Reward", loaded("preference", None))
    assert math.isfinite(loss)
    assert loss > 0
    assert len(trainer.train_dataset) == len(PROMPTS)


@pytest.mark.parametrize("name", [None, "trl"])
def test_kto_trainer_takes_verdicts(loaded: Any, step: Any, name: str | None) -> None:
    trainer, loss = step("KTO", loaded("verdict", name))
    assert math.isfinite(loss)
    assert len(trainer.train_dataset) == len(PROMPTS)


# -- LLaMA-Factory ---------------------------------------------------------------------------------


class Attributes:
    """What its parser makes of an entry: naming any column or tag takes the others away."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.sharegpt = entry.get("formatting", "alpaca") == "sharegpt"
        self.ranking = entry.get("ranking", False)
        names = ("system", "chosen", "rejected", "kto_tag", "prompt", "query", "response")
        columns = entry["columns"]
        self.column = {name: columns.get(name) for name in (*names, "history", "messages")}
        tags = {"role": "from", "content": "value", "user": "human", "assistant": "gpt"}
        tags["system"] = "system"
        if "tags" in entry:
            tags = {name: entry["tags"].get(f"{name}_tag") for name in tags}
        self.tag = tags


def converted(row: dict[str, Any], attributes: Attributes) -> tuple[Any, ...]:
    """System prompt, turns and replies of a row, as its converters give them to its templates."""
    column = attributes.column
    if attributes.sharegpt:
        system, prompt, reply = _from_messages(row, attributes)
    else:
        prompt = []
        if column["history"] and isinstance(row[column["history"]], list):
            for old_prompt, old_reply in row[column["history"]]:
                prompt += [("user", old_prompt), ("assistant", old_reply)]
        parts = [row[column[name]] for name in ("prompt", "query") if column[name]]
        prompt.append(("user", "\n".join(part for part in parts if part)))
        reply = row[column["response"]] if column["response"] else None
        system = row[column["system"]] if column["system"] else ""
    if column["kto_tag"] and isinstance(row[column["kto_tag"]], bool):
        replies = [reply, ""] if row[column["kto_tag"]] else ["", reply]
    elif attributes.ranking:
        replies = [_reply(row[column[name]], attributes) for name in ("chosen", "rejected")]
    else:
        replies = [reply]
    return system or "", prompt, replies


def _from_messages(row: dict[str, Any], attributes: Attributes) -> tuple[str, list[Any], Any]:
    tag = attributes.tag
    roles = {tag["user"]: "user", tag["assistant"]: "assistant"}
    messages = row[attributes.column["messages"]]
    system = row[attributes.column["system"]] if attributes.column["system"] else ""
    if messages[0][tag["role"]] == tag["system"]:
        system, messages = messages[0][tag["content"]], messages[1:]
    aligned = [(roles[m[tag["role"]]], m[tag["content"]]) for m in messages]
    assert [role for role, _ in aligned] == (["user", "assistant"] * len(aligned))[: len(aligned)]
    assert len(aligned) % 2 == (1 if attributes.ranking else 0)
    return (system, aligned, None) if attributes.ranking else (system, aligned[:-1], aligned[-1][1])


def _reply(value: Any, attributes: Attributes) -> str:
    if attributes.sharegpt:
        assert isinstance(value, dict)
        assert value[attributes.tag["role"]] == attributes.tag["assistant"]
        return str(value[attributes.tag["content"]])
    assert isinstance(value, str)
    return value


def expected(record: Record) -> tuple[Any, ...]:
    system = "".join(turn.content for turn in record.prompt if turn.role == "system")
    prompt = [(turn.role, turn.content) for turn in record.prompt if turn.role != "system"]
    match record:
        case Preference():
            return system, prompt, [record.chosen, record.rejected]
        case Verdict():
            reply = record.completion
            return system, prompt, [reply, ""] if record.label else ["", reply]
        case _:
            return system, prompt, [record.completion]


@pytest.mark.parametrize("name", [None, "messages", "sharegpt", "alpaca", "csv"])
def test_llama_factory_reads_every_row_as_it_was(tmp_path: Path, name: str | None) -> None:
    from datasets import load_dataset

    import core  # noqa: F401 - sets the environment of the library below

    folder = tmp_path / "out"
    exported = export(RECORDS, Choices(format=name, dataset_info=True), folder)
    entries = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    assert [entry["file_name"] for entry in entries.values()] == [
        file.path.name for file in exported.files
    ]
    for file, entry in zip(exported.files, entries.values(), strict=True):
        builder = "csv" if name == "csv" else "json"
        path = str(folder / entry["file_name"])
        cache = str(tmp_path / "cache")
        rows = load_dataset(builder, data_files=path, split="train", cache_dir=cache)
        attributes = Attributes(entry)
        carried = [r for r in RECORDS if r.kind == file.kind and (name != "csv" or _short(r))]
        assert [converted(row, attributes) for row in rows] == [expected(r) for r in carried]


def _short(record: Record) -> bool:
    return sum(turn.role != "system" for turn in record.prompt) == 1


def test_what_llama_factory_cannot_read_is_said(tmp_path: Path) -> None:
    exported = export(RECORDS, Choices(format="trl", dataset_info=True), tmp_path)
    assert json.loads((tmp_path / "dataset_info.json").read_text()) == {}
    assert len(exported.left_out) == 3
    assert all("LLaMA-Factory does not read the format trl" in said for said in exported.left_out)
