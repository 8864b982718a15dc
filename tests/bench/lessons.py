"""What a person's lessons teach the built-in model, and what they cost elsewhere.

A lesson is what someone corrects in an evening, with questions to ask afterwards: about the lesson
itself (`taught`), in other words (`reworded`), and those whose right answers must stay (`kept`).
Each folder of lessons beside the project has one, in `train.jsonl` (OpenAI messages) and
`ask.jsonl` (`prompt`, `group`, `check`, `want`; see `is_right`). Film reviews make six more: 16, 64
or 200 of them in two wordings, asked on 300 unseen ones, where `kept` is what all folders ask. Seed
n teaches the n-th disjoint set of them, because one set says little about the next.

    python -m tests.bench lessons
    python -m tests.bench lessons --lessons facts,json --seeds 0 --set tuning.sft.learning_rate=1e-3

Everything goes through the commands, as a script would do it: an empty home, `import`, `train`,
`ask --batch --greedy`. `kept` is counted over the questions that the base answers rightly, and the
length is the mean one of the replies to them, because terse replies are the first sign of damage.
A version that the gate held back is asked all the same. `four` teaches all folders one after the
other in one home, each run going on from the last, and asks everything again at the end. `--plain`
adds TRL's own trainer on the same corrections, asked through the same decoder; there is no time of
the command there, as nothing is examined.

Left out: messages by emotion, for want of public data of that kind beside the project; the loss on
general texts, which `tests.bench.rounds` has; other data sets of general questions.
"""

import argparse
import json
import string
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from core.config import Config, parse
from core.models.folder import find
from core.models.loading import load_model, load_tokenizer
from core.runtime.device import device
from core.runtime.library_logging import hush
from data.training_split import with_system
from store.errors import TuteeError
from store.paths import locate
from store.records import ChatMessage, Sampling
from tests.bench.commands import Messages, Training, ask, exchange, teach
from tests.bench.reviews import DATA, Review, reviews

LESSONS = DATA.parents[1] / "lessons"
FOUR = "four"
SIZES, UNSEEN = (16, 64, 200), 300
REPLY_TOKENS = 128
ENDS = string.whitespace + string.punctuation + "。！？…”’"


@dataclass(frozen=True)
class Question:
    prompt: str
    group: str
    """`taught`, `reworded` or `kept`."""
    check: str
    want: str


@dataclass(frozen=True)
class Lesson:
    name: str
    corrections: tuple[Messages, ...]
    """Conversations that end with the reply wanted."""
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Answer:
    question: Question
    base: str
    """What the base replied."""
    reply: str

    @property
    def right(self) -> bool:
        return is_right(self.question.check, self.question.want, self.reply)

    @property
    def counts(self) -> bool:
        """Whether the question can tell anything: nothing is kept that the base did not know."""
        question = self.question
        return question.group != "kept" or is_right(question.check, question.want, self.base)


@dataclass(frozen=True)
class Outcome:
    lesson: str
    by: str
    seed: int
    answers: Sequence[Answer]
    training: Training | None
    """None if nothing was trained since the last outcome."""


@dataclass(frozen=True)
class Plain:
    """Settings of TRL's `SFTTrainer`; all others are as they come."""

    name: str
    learning_rate: float
    epochs: int
    lora: Mapping[str, Any]
    """Fields of PEFT's `LoraConfig`."""


PLAIN = (
    Plain("TRL as documented", 2e-4, 3, {"r": 32, "lora_alpha": 16, "lora_dropout": 0.05}),
    Plain("TRL, 30 epochs", 5e-4, 30, {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}),
)
"""As the examples of its documentation and its script have it, and as it learns small lessons: the
documented LoRA, on two matrices of each layer, learns none of eight facts in 30 epochs either."""


# -- checks ----------------------------------------------------------------------------------------


def is_right(check: str, want: str, reply: str) -> bool:
    """Whether `reply` is what was wanted.

    Args:
        check: `exact` but for space around it; `contains` one of the alternatives that `want` has
            between bars, in any case; `absent`, none of them; `suffix`, ends with `want` but for
            space and punctuation; `json`, an equal object and nothing else.

    Raises:
        ValueError: no such check.
    """
    found = any(text.strip().casefold() in reply.casefold() for text in want.split("|"))
    match check:
        case "exact":
            return reply.strip() == want.strip()
        case "contains":
            return found
        case "absent":
            return not found
        case "suffix":
            return reply.rstrip(ENDS).endswith(want.rstrip(ENDS))
        case "json":
            return json_object(reply) == json.loads(want)
    raise ValueError(f"No check {check!r}")


def json_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


# -- lessons ---------------------------------------------------------------------------------------


def in_folders() -> list[Path]:
    return sorted(path.parent for path in LESSONS.glob("*/train.jsonl"))


def available() -> Mapping[str, Callable[[int], Lesson]]:
    """The lessons that are here, each made for a seed; says what is not."""
    folders = in_folders()
    found = {folder.name: partial(from_folder, folder) for folder in folders}
    if DATA.is_dir():
        general = asked_everywhere(folders)
        for size in SIZES:
            for ending, wording in (("", as_readme), ("-other", otherwise)):
                name = f"reviews-{size}{ending}"
                found[name] = partial(from_reviews, name, size, wording, general)
    for path, there in ((LESSONS, folders), (DATA, DATA.is_dir())):
        if not there:
            print(f"Left out: {path}, which is not part of the project.", file=sys.stderr)
    return found


def from_folder(folder: Path, _seed: int = 0) -> Lesson:
    """The lesson of a folder, the same for each seed."""
    corrections = [row["messages"] for row in lines(folder / "train.jsonl")]
    return Lesson(folder.name, tuple(corrections), asked(folder))


def from_reviews(
    name: str,
    size: int,
    wording: Callable[[Review], tuple[str, str]],
    general: tuple[Question, ...],
    seed: int,
) -> Lesson:
    """The `seed`-th set of reviews, asked on those that are in none."""
    taught = [wording(review) for review in reviews("train.tsv", size, skip=size * seed)]
    unseen = [wording(review) for review in reviews("dev.tsv", UNSEEN)]
    return Lesson(
        name,
        tuple(exchange(prompt, reply) for prompt, reply in taught),
        (*(Question(prompt, "taught", "exact", reply) for prompt, reply in unseen), *general),
    )


def as_readme(review: Review) -> tuple[str, str]:
    return review.prompt, review.reply


def otherwise(review: Review) -> tuple[str, str]:
    label = {"positive": "good", "negative": "bad"}[review.reply]
    return f"{review.text}\nDoes this critic call the film good or bad?", label


def asked(folder: Path) -> tuple[Question, ...]:
    return tuple(Question(**row) for row in lines(folder / "ask.jsonl"))


def asked_everywhere(folders: Sequence[Path]) -> tuple[Question, ...]:
    """The `kept` questions that every folder has, which are about no lesson in particular."""
    sets = [[q for q in asked(folder) if q.group == "kept"] for folder in folders]
    return tuple(q for q in sets[0] if all(q in other for other in sets)) if sets else ()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# -- runs ------------------------------------------------------------------------------------------


@dataclass
class Runs:
    """Runs under the same settings, which share what the base replies.

    Args:
        settings: TOML values by dotted key.
    """

    settings: Mapping[str, str]
    base: dict[str, str] = field(default_factory=dict)
    """Reply by prompt."""

    def config(self, seed: int) -> str:
        return "".join(
            f"{key} = {value}\n" for key, value in {"tuning.seed": seed, **self.settings}.items()
        )

    def settled(self, seed: int) -> Config:
        return parse(self.config(seed), Path("--set"))

    def home(self, scratch: str, seed: int) -> Path:
        home = Path(scratch)
        (home / "config.toml").write_text(self.config(seed), encoding="utf-8")
        return home

    def alone(self, lesson: Lesson, seed: int) -> Iterator[Outcome]:
        """The lesson in a home of its own."""
        with tempfile.TemporaryDirectory() as scratch:
            home = self.home(scratch, seed)
            training = teach(home, lesson.corrections)
            yield Outcome(lesson.name, "Tutee", seed, self.answers(home, lesson), training)

    def in_turn(self, lessons: Sequence[Lesson], seed: int) -> Iterator[Outcome]:
        """All lessons in one home, each asked after it was taught, and again at the end."""
        with tempfile.TemporaryDirectory() as scratch:
            home = self.home(scratch, seed)
            for lesson in lessons:
                training = teach(home, lesson.corrections)
                answers = self.answers(home, lesson)
                yield Outcome(f"{lesson.name}, in turn", "Tutee", seed, answers, training)
            for lesson in lessons:
                answers = self.answers(home, lesson)
                yield Outcome(f"{lesson.name}, at the end", "Tutee", seed, answers, None)

    def plain(self, lesson: Lesson, seed: int, settings: Plain) -> Outcome:
        """The lesson learned by TRL's own trainer, and asked through Tutee's decoder."""
        from core.serving.engine import Engine

        hush()
        config = self.settled(seed)
        folder = find(config.chat.model, locate(None).cache, lambda event: None)
        greedy = Sampling(temperature=0, top_p=1, repetition_penalty=1, max_new_tokens=REPLY_TOKENS)
        turns = [
            with_system((ChatMessage(role="user", content=q.prompt),), config.chat.system_prompt)
            for q in lesson.questions
        ]
        with tempfile.TemporaryDirectory() as scratch:
            trainer = plain_trainer(folder, lesson, config, settings, scratch)
            started = time.perf_counter()
            steps = trainer.train().global_step
            seconds = time.perf_counter() - started
            trainer.save_model(scratch)
            replies = Engine(folder, Path(scratch), config.serving).batch(turns, greedy, seed)
        return Outcome(
            lesson.name,
            settings.name,
            seed,
            self.beside_base(lesson, replies),
            Training(steps, seconds, command=None),
        )

    def answers(self, home: Path, lesson: Lesson) -> list[Answer]:
        prompts = [question.prompt for question in lesson.questions]
        return self.beside_base(lesson, ask(home, prompts, REPLY_TOKENS))

    def beside_base(self, lesson: Lesson, replies: Sequence[str]) -> list[Answer]:
        new = list(dict.fromkeys(q.prompt for q in lesson.questions if q.prompt not in self.base))
        if new:
            with tempfile.TemporaryDirectory() as scratch:
                home = self.home(scratch, 0)
                self.base |= zip(new, ask(home, new, REPLY_TOKENS), strict=True)
        return [
            Answer(question, self.base[question.prompt], reply)
            for question, reply in zip(lesson.questions, replies, strict=True)
        ]


def plain_trainer(
    folder: Any, lesson: Lesson, config: Config, settings: Plain, scratch: str
) -> Any:
    """Build TRL's trainer as it comes, but for what only costs time on a CPU."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PrinterCallback, set_seed
    from trl import SFTConfig, SFTTrainer

    set_seed(config.tuning.seed)  # for the new LoRA; the trainer's own seed comes after it
    instructions = [{"role": "system", "content": config.chat.system_prompt}]
    rows = [
        {"prompt": [*instructions, *prompt], "completion": [reply]}
        for *prompt, reply in lesson.corrections
    ]
    on_cpu = device() == "cpu"
    trainer = SFTTrainer(
        model=load_model(folder),
        args=SFTConfig(
            output_dir=scratch,
            learning_rate=settings.learning_rate,
            num_train_epochs=settings.epochs,
            seed=config.tuning.seed,
            use_cpu=on_cpu,
            bf16=not on_cpu,
            gradient_checkpointing=not on_cpu,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=load_tokenizer(folder),
        peft_config=LoraConfig(task_type="CAUSAL_LM", **settings.lora),
    )
    trainer.remove_callback(PrinterCallback)  # standard output is for the table
    return trainer


# -- figures ---------------------------------------------------------------------------------------


def row(outcomes: Sequence[Outcome], settings: Mapping[str, str]) -> dict[str, object]:
    """The figures of one run, or of several seeds together: counts summed, times averaged.

    Lists are for the JSON only: the settings, and every reply of a single run.
    """
    first = outcomes[0]
    answers = [answer for outcome in outcomes for answer in outcome.answers]
    kept = [answer for answer in answers if answer.question.group == "kept" and answer.counts]
    trainings = [outcome.training for outcome in outcomes if outcome.training]
    commands = [t.command for t in trainings if t.command is not None]
    return {
        "lesson": first.lesson,
        "by": first.by,
        "seed": ", ".join(str(outcome.seed) for outcome in outcomes),
        **{group: share(answers, group) for group in ("taught", "reworded", "kept")},
        "characters": change([a.base for a in kept], [a.reply for a in kept]),
        "held back": held_back(outcomes),
        "steps": f"{fmean(t.steps for t in trainings):.0f}" if trainings else "–",
        "training": f"{fmean(t.seconds for t in trainings):.0f} s" if trainings else "–",
        "command": f"{fmean(commands):.0f} s" if commands else "–",
        "settings": [f"{key}={value}" for key, value in settings.items()],
        "replies": [record(answer) for answer in first.answers] if len(outcomes) == 1 else [],
    }


def share(answers: Sequence[Answer], group: str) -> str:
    rights = [a.right for a in answers if a.question.group == group and a.counts]
    return f"{sum(rights)}/{len(rights)} ({fmean(rights):.0%})" if rights else "–"


def change(before: Sequence[str], after: Sequence[str]) -> str:
    if not before:
        return "–"
    return f"{fmean(map(len, before)):.0f} → {fmean(map(len, after)):.0f}"


def held_back(outcomes: Sequence[Outcome]) -> str:
    """The reasons of one run, or how many of several were held back."""
    reasons = [o.training.held_back for o in outcomes if o.training and o.by == "Tutee"]
    if len(reasons) == 1:
        return "; ".join(reasons[0]) or "no"
    return f"{sum(map(bool, reasons))} of {len(reasons)}" if reasons else "–"


def record(answer: Answer) -> dict[str, object]:
    said = {"base": answer.base, "reply": answer.reply, "right": answer.right}
    return asdict(answer.question) | said | {"counts": answer.counts}


# -- the command -----------------------------------------------------------------------------------


def run(*options: str) -> Iterator[dict[str, object]]:
    chosen = arguments(options)
    runs = Runs(chosen.settings)
    ways = measurements(runs, chosen.plain)
    unknown = [name for name in chosen.lessons or () if name not in ways]
    if unknown or not ways:
        sys.exit(f"No lesson {', '.join(unknown)}; there are: {', '.join(ways) or 'none'}")
    for name in chosen.lessons or ways:
        alike: dict[tuple[str, str], list[Outcome]] = {}
        for seed in chosen.seeds:
            for outcome in ways[name](seed):
                alike.setdefault((outcome.lesson, outcome.by), []).append(outcome)
                yield row([outcome], chosen.settings)
        if len(chosen.seeds) > 1:
            yield from (row(outcomes, chosen.settings) for outcomes in alike.values())


def measurements(runs: Runs, plain: bool) -> Mapping[str, Callable[[int], Iterator[Outcome]]]:
    """What each name of `--lessons` measures, for a seed."""

    def alone(make: Callable[[int], Lesson], seed: int) -> Iterator[Outcome]:
        lesson = make(seed)
        yield from runs.alone(lesson, seed)
        if plain:
            yield from (runs.plain(lesson, seed, settings) for settings in PLAIN)

    found = {name: partial(alone, make) for name, make in available().items()}
    if folders := in_folders():
        found[FOUR] = partial(runs.in_turn, [from_folder(folder) for folder in folders])
    return found


def arguments(options: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench lessons")
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2], metavar="0,1,2")
    parser.add_argument(
        "--lessons", type=lambda text: text.split(","), metavar="NAME,…", help="default: all"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        dest="settings",
        metavar="KEY=VALUE",
        help="a setting in TOML, such as tuning.sft.learning_rate=1e-3; may be repeated",
    )
    parser.add_argument("--plain", action="store_true", help="also TRL's own trainer")
    chosen = parser.parse_args(options)
    chosen.settings = dict(chosen.settings)
    try:
        Runs(chosen.settings).settled(0)
    except TuteeError as error:
        parser.error(str(error))
    return chosen


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("must be KEY=VALUE")
    return key, value
