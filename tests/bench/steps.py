"""One optimiser step on the same 8 samples: Tutee, TRL's trainer, the pad-everything pipeline.

Two kinds of samples: reviews, whose prompts share their instruction, and diverse instructions,
which share only the system prompt. The pipeline that pads every sample to 512 tokens and takes the
loss over all of them is what many first scripts do. Steps are taken in turn, A B A B, so that a
drifting machine hits all alike; its own step is so slow that it is taken once. As a floor, the bare
matrix products of Tutee's step: each weight of the base times the activations, there and back, in
float32 and in bfloat16 (which of them Tutee uses is the processor's matter:
`core.training.bf16_base`). Tutee's step is timed without rehearsal, which the others do not have,
and with it.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Config, Tuning
from core.models.folder import ModelFolder, find
from core.models.loading import load_model, load_tokenizer
from core.runtime.library_logging import hush
from core.training import lora, sft
from core.training.memory_budget import micro_batch_tokens
from core.training.micro_batches import micro_batch_size, packed_length
from core.training.rehearsal import RehearsalPlan
from core.training.run_control import RunControl
from data import starter
from data.tokenization import Sample, encode, encode_prompt
from data.training_split import with_system
from store.paths import locate
from store.records import ChatMessage
from tests.bench.reviews import DATA, reviews

if TYPE_CHECKING:
    import torch

STEPS, SAMPLES, PADDED = 4, 8, 512
SETTINGS = Tuning(batch_size=SAMPLES, epochs=STEPS + 1)
"""The first step of each is a warm-up."""


def run() -> list[dict[str, object]]:
    hush()
    folder = find("builtin", locate(None).cache, lambda event: None)
    kinds = {"reviews": review_texts(), "instructions": instruction_texts()}
    rows = []
    for kind, texts in kinds.items():
        tokenizer = load_tokenizer(folder)
        samples = [
            encode(tokenizer, with_system(prompt, Config().chat.system_prompt), reply)
            for prompt, reply in texts
        ]
        rows += compare(kind, folder, samples)
    return rows


def compare(kind: str, folder: ModelFolder, samples: list[Sample]) -> list[dict[str, object]]:
    import torch

    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = load_tokenizer(folder)
        steps = {
            "Tutee": stepper(sft.build(folder, tokenizer, None, samples, SETTINGS, RunControl())),
            "bare products, float32": products(folder, samples, torch.float32),
            "bare products, bfloat16": products(folder, samples, torch.bfloat16),
            "Tutee with rehearsal": stepper(
                sft.build(
                    folder,
                    tokenizer,
                    None,
                    samples,
                    SETTINGS,
                    RunControl(),
                    general(tokenizer, Path(scratch)),
                )
            ),
            "TRL defaults": stepper(plain_trl(folder, samples, scratch)),
            "TRL in float32": stepper(plain_trl(folder, samples, scratch, bf16=False)),
        }
        times: dict[str, list[float]] = {name: [] for name in steps}
        for number in range(STEPS + 1):
            for name, step in steps.items():
                seconds = step()
                if number:
                    times[name].append(seconds)
        times["all padded to 512"] = [stepper(padded(folder, samples, scratch))()]
    ours = statistics.median(times["Tutee"])
    lengths = [len(sample.input_ids) for sample in samples]
    packed = packed_length(samples)
    tokens: dict[str, object] = {
        "Tutee": packed,
        "bare products, float32": packed,
        "bare products, bfloat16": packed,
        "Tutee with rehearsal": f"{packed} and the rehearsal's",
        "TRL defaults": max(lengths) * SAMPLES,
        "TRL in float32": max(lengths) * SAMPLES,
        "all padded to 512": PADDED * SAMPLES,
    }
    return [
        {
            "samples": kind,
            "trainer": name,
            "tokens computed": tokens[name],
            "median step": f"{statistics.median(seconds):.2f} s",
            "range": f"{min(seconds):.2f}-{max(seconds):.2f}",
            "of Tutee's": f"{statistics.median(seconds) / ours:.1f} x",
        }
        for name, seconds in times.items()
    ]


def products(
    folder: ModelFolder, samples: Sequence[Sample], dtype: "torch.dtype"
) -> Callable[[], float]:
    """Time the matrix products of one step alone, in the micro-batches that the step has."""
    import torch

    model = load_model(folder, dtype)
    groups = [(sample,) for sample in samples]
    size = micro_batch_size(groups, SETTINGS.batch_size, micro_batch_tokens(folder))
    chunks = [samples[i : i + size] for i in range(0, len(samples), size)]
    head = model.get_output_embeddings()
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]
    shapes = [
        (linear.weight, torch.randn(rows, linear.in_features, dtype=dtype))
        for chunk in chunks
        for rows in [packed_length(chunk)]
        for linear in layers
    ]
    scored = [sum(len(s.input_ids) - s.reply_start for s in chunk) for chunk in chunks]
    shapes += [(head.weight, torch.randn(rows, head.in_features, dtype=dtype)) for rows in scored]

    def step() -> float:
        started = time.perf_counter()
        with torch.no_grad():
            for weight, activations in shapes:
                (activations @ weight.t()) @ weight
        return time.perf_counter() - started

    return step


def general(tokenizer: Any, directory: Path) -> RehearsalPlan:
    """What is rehearsed of the English prompts."""
    asked = (ChatMessage(role="user", content=p.prompt) for p in starter.rehearsal()[:40])
    system = Config().chat.system_prompt
    prompts = tuple(tuple(encode_prompt(tokenizer, with_system((q,), system))) for q in asked)
    return RehearsalPlan(prompts, 1.0, tokenizer, directory)


def stepper(trainer: Any) -> Callable[[], float]:
    """Take one whole optimiser step of `trainer` at each call; seconds."""
    batches = iter(trainer.get_train_dataloader())
    trainer.create_optimizer_and_scheduler(100)
    model = trainer.model

    def step() -> float:
        nonlocal batches
        size = trainer.args.gradient_accumulation_steps
        micro_batches: list[Any] = []
        while len(micro_batches) < size:
            try:
                micro_batches.append(next(batches))
            except StopIteration:
                batches = iter(trainer.get_train_dataloader())
        items = trainer._get_num_items_in_batch(micro_batches, "cpu")
        trainer.current_gradient_accumulation_steps = size
        started = time.perf_counter()
        for batch in micro_batches:
            trainer.training_step(model, batch, items)
        trainer.optimizer.step()
        trainer.optimizer.zero_grad()
        return time.perf_counter() - started

    return step


def plain_trl(
    folder: ModelFolder, samples: Sequence[Sample], scratch: str, bf16: bool | None = None
) -> Any:
    """TRL's `SFTTrainer` as it comes; `use_cpu` is the least it needs here."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [
        {
            "input_ids": list(s.input_ids),
            "labels": [-100] * s.reply_start + list(s.input_ids[s.reply_start :]),
        }
        for s in samples
    ]
    return SFTTrainer(
        model=lora.with_lora(load_model(folder), SETTINGS, task_type="CAUSAL_LM"),
        args=SFTConfig(
            output_dir=scratch,
            per_device_train_batch_size=SAMPLES,
            use_cpu=True,
            bf16=bf16,
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=load_tokenizer(folder),
    )


def padded(folder: ModelFolder, samples: Sequence[Sample], scratch: str) -> Any:
    """transformers' `Trainer`, each sample padded to 512 tokens, the loss on all of them."""
    from datasets import Dataset
    from transformers import Trainer, TrainingArguments

    pad = load_tokenizer(folder).pad_token_id
    rows = []
    for sample in samples:
        ids = [*sample.input_ids, *[pad] * (PADDED - len(sample.input_ids))]
        rows.append({"input_ids": ids, "attention_mask": [1] * PADDED, "labels": ids})
    return Trainer(
        model=lora.with_lora(load_model(folder), SETTINGS, task_type="CAUSAL_LM"),
        args=TrainingArguments(
            output_dir=scratch,
            per_device_train_batch_size=SAMPLES,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
    )


def review_texts() -> list[tuple[tuple[ChatMessage, ...], str]]:
    return [
        ((ChatMessage(role="user", content=review.prompt),), review.reply)
        for review in reviews("train.tsv", SAMPLES)
    ]


def instruction_texts() -> list[tuple[tuple[ChatMessage, ...], str]]:
    path: Path = DATA.parent / "llama-factory" / "alpaca_en_demo.json"
    if not path.exists():
        sys.exit(f"This benchmark needs {path}, which is not part of the project.")
    rows = json.loads(path.read_text(encoding="utf-8"))
    short = [row for row in rows if len(row["instruction"] + row["input"] + row["output"]) < 400]
    return [
        (
            (ChatMessage(role="user", content=f"{r['instruction']}\n{r['input']}".strip()),),
            r["output"],
        )
        for r in short[:SAMPLES]
    ]
