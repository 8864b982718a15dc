"""From a plan to new versions: training, examining and saving, one version a pass.

Each pass goes on from the version that the one before it made, unless that one was held back by the
gate (`core.report`); then it goes on from where that one began. A version that was held back is
kept, labelled and never adopted by itself.

Left out on purpose: adopting the new version. Who asked for the run does that, between two replies.
"""

import gc
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version as library_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core import report
from core.adapters import BASE, Kind, Manifest, template_hash, write_manifest
from core.config import Tuning
from core.evaluate import Exam, Examiner, Question
from core.events import PassDone, PassName, PassSkipped, PassStarted
from core.models import load_tokenizer
from core.planning import Plan, Selection, repeated, steps
from core.report import Report, judge
from data import starter
from data.masks import Sample, encode, encode_prompt
from data.rows import with_system
from store.acts import said
from store.errors import TuteeError
from store.records import Instruction, Preference, Record, Turn, Verdict

if TYPE_CHECKING:
    from core.passes.result import Trained
    from core.passes.watch import Watch

_Kind = TypeVar("_Kind", Instruction, Preference, Verdict)

REFERENCE_ROWS = 50
"""Texts whose loss tells what was forgotten; fewer would move by more than the gate allows."""


def run(plan: Plan, watch: "Watch", finished: Callable[[PassDone], None] | None = None) -> None:
    """Train the wanted passes of `plan`, one version each.

    Args:
        finished: Told of each pass once its version is on disk.

    Raises:
        TuteeError: no pass is wanted, or one could not be done; earlier ones are kept.
        Cancelled: `watch` was cancelled; nothing of the pass under way is kept.
    """
    if not plan.wanted:
        missing = "; ".join(f"{p.name}: {p.missing}" for p in plan.passes if p.missing)
        raise TuteeError("There is nothing to train yet.", f"There is: {missing}.")
    tuning = _Run(plan, watch)
    for planned in plan.wanted:
        done = tuning.pass_(planned.name)
        # A trainer and its model point at each other, so they would stay until some collection.
        gc.collect()
        watch.emit(done)
        if isinstance(done, PassDone) and finished:
            finished(done)


class _Run:
    """One run: what its passes share."""

    def __init__(self, plan: Plan, watch: "Watch") -> None:
        self.plan = plan
        self.watch = watch
        self.parent = plan.parent
        """The version that the next pass goes on from."""

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self.plan.adapters.folder)

    def pass_(self, name: PassName) -> PassDone | PassSkipped:
        passes: dict[PassName, Callable[[], PassDone | PassSkipped]] = {
            "sft": self._sft,
            "kto": self._kto,
            "dpo": self._dpo,
            "reward": self._reward,
            "rl": self._rl,
        }
        return passes[name]()

    # -- the passes ------------------------------------------------------------------------------

    def _sft(self) -> PassDone:
        from core.passes import sft

        chosen = self.plan.sft
        new, replayed = self._samples(chosen.new), self._samples(chosen.replayed)
        training = [*new.values(), *replayed.values()]
        settings = repeated(self.plan.settings, len(training))
        self._begin("sft", [(s,) for s in training], settings, len(new), len(replayed))
        trained = sft.train(
            self.plan.adapters.folder,
            self.tokenizer,
            self._adapter(),
            training,
            settings,
            self.watch,
            self._examiner(),
        )
        return self._keep("sft", trained, chosen, new, replayed)

    def _kto(self) -> PassDone:
        from core.passes import kto

        def judged(records: Iterable[Verdict]) -> dict[str, kto.Judged]:
            labels = {record.id: record.label for record in records}
            samples = self._samples(records)
            return {name: kto.Judged(sample, labels[name]) for name, sample in samples.items()}

        chosen = self.plan.kto
        new, replayed = judged(chosen.new), judged(chosen.replayed)
        training = [*new.values(), *replayed.values()]
        if len({sample.label for sample in training}) < 2:
            raise TuteeError(
                "All thumbs point the same way, so KTO has nothing to compare.",
                "Rate some replies the other way, or leave KTO out.",
            )
        groups = [(judged.sample,) for judged in training]
        self._begin("kto", groups, self.plan.settings, len(new), len(replayed))
        trained = kto.train(
            self.plan.adapters.folder,
            self.tokenizer,
            self._adapter(),
            training,
            list(judged(chosen.held_out).values()),
            self.plan.settings,
            self.watch,
            self._examiner(),
        )
        return self._keep("kto", trained, chosen, new, replayed)

    def _dpo(self) -> PassDone:
        from core.passes import dpo

        chosen = self.plan.dpo
        new, replayed = self._pairs(chosen.new), self._pairs(chosen.replayed)
        training = [*new.values(), *replayed.values()]
        self._begin("dpo", training, self.plan.settings, len(new), len(replayed))
        trained = dpo.train(
            self.plan.adapters.folder,
            self.tokenizer,
            self._adapter(),
            training,
            list(self._pairs(chosen.held_out).values()),
            self.plan.settings,
            self.watch,
            self._examiner(),
        )
        return self._keep("dpo", trained, chosen, new, replayed)

    def _reward(self) -> PassDone:
        from core.passes import reward

        chosen = self.plan.reward
        training = self._pairs(chosen.train)
        self._begin("reward", list(training.values()), self.plan.settings, len(training), 0)
        held_out = self._pairs(chosen.held_out)
        trained = reward.train(
            self.plan.adapters.folder,
            self.tokenizer,
            list(training.values()),
            list(held_out.values()),
            self.plan.settings,
            self.watch,
        )
        # Held-out pairs count as seen: a later run must not ask for them again.
        lost = len(chosen.train) + len(chosen.held_out) - len(training) - len(held_out)
        return self._save("reward", trained, [*training, *held_out], [], lost)

    def _rl(self) -> PassDone | PassSkipped:
        from core.passes import reward, rl

        rewards = self.plan.adapters.versions("reward")
        if not rewards or not rewards[-1].metrics.get("passed"):
            why = f"{rewards[-1].version} did not pass its gate" if rewards else "there is none yet"
            return PassSkipped("rl", f"RL needs a reward model it can trust, and {why}.")
        name = rewards[-1].version
        directory = self.plan.adapters.path(name)
        assert directory is not None  # only the base has none
        prompts = self._prompts(self.plan.rl.train)
        settings = self.plan.settings
        self.watch.emit(PassStarted("rl", settings.rl_steps, len(prompts), 0))
        scorer = reward.Scorer(self.plan.adapters.folder, directory, self.watch)
        trained = rl.train(
            self.plan.adapters.folder,
            self.tokenizer,
            self._adapter(),
            prompts,
            self._prompts(self.plan.rl.held_out),
            lambda rollouts: scorer([rollout.sample for rollout in rollouts]),
            settings,
            self.watch,
            self._examiner(),
        )
        trained = replace(trained, metrics={**trained.metrics, "reward_model": name})
        return self._save("rl", trained, [], [], 0)

    # -- what they learn from --------------------------------------------------------------------

    def _turns(self, prompt: Sequence[Turn]) -> tuple[Turn, ...]:
        return with_system(prompt, self.plan.system_prompt)

    def _sample(self, prompt: Sequence[Turn], reply: str) -> Sample:
        return encode(self.tokenizer, self._turns(prompt), reply)

    def _fits(self, sample: Sample) -> bool:
        return len(sample.input_ids) <= self.plan.settings.max_length

    def _samples(self, records: Iterable[Instruction | Verdict]) -> dict[str, Sample]:
        """By record; those that are too long are left out."""
        samples = {r.id: self._sample(r.prompt, r.completion) for r in records}
        return {name: sample for name, sample in samples.items() if self._fits(sample)}

    def _pairs(self, records: Iterable[Preference]) -> dict[str, tuple[Sample, Sample]]:
        """Chosen and rejected by record; those that are too long are left out."""
        pairs = {
            r.id: (self._sample(r.prompt, r.chosen), self._sample(r.prompt, r.rejected))
            for r in records
        }
        return {name: pair for name, pair in pairs.items() if all(map(self._fits, pair))}

    def _prompts(self, prompts: Iterable[Sequence[Turn]]) -> list[tuple[int, ...]]:
        room = self.plan.settings.max_length - self.plan.settings.rl_max_new_tokens
        encoded = (tuple(encode_prompt(self.tokenizer, self._turns(p))) for p in prompts)
        return [prompt for prompt in encoded if len(prompt) <= room]

    def _begin(
        self,
        name: PassName,
        groups: Sequence[Sequence[Sample]],
        settings: Tuning,
        new: int,
        replayed: int,
    ) -> None:
        """Tell of the pass, once it is proven that it learns the replies and nothing else."""
        from core.passes.proof import prove

        if not groups:
            raise TuteeError(
                f"Every record is longer than {settings.max_length} tokens, so none can be"
                " trained on.",
                "Raise `max_length` under [tuning] in the settings, or teach with shorter replies.",
            )
        self.watch.emit(PassStarted(name, steps(len(groups), settings), new, replayed))
        prove(name, self.tokenizer, groups, settings.batch_size, self.watch)

    def _adapter(self) -> Path | None:
        return self.plan.adapters.path(self.parent)

    # -- the exam --------------------------------------------------------------------------------

    @cached_property
    def _exam(self) -> Exam:
        def question(prompt: Sequence[Turn], wanted: str = "") -> Question:
            turns = self._turns(prompt)
            return Question(
                text=prompt[-1].content,
                prompt=tuple(encode_prompt(self.tokenizer, turns)),
                wanted=wanted,
                sample=encode(self.tokenizer, turns, wanted) if wanted else None,
            )

        known = starter.instructions()
        spread = [known[i * len(known) // REFERENCE_ROWS] for i in range(REFERENCE_ROWS)]
        return Exam(
            tokenizer=self.tokenizer,
            probes=tuple(
                question((Turn(role="user", content=probe.prompt),)) for probe in starter.probes()
            ),
            reference=tuple(self._sample(r.prompt, r.completion) for r in spread),
            held_out=tuple(
                held
                for record in self.plan.sft.held_out
                if (held := question(record.prompt, record.completion)).sample
                and self._fits(held.sample)
            ),
        )

    def _examiner(self) -> Examiner:
        directory = self.plan.adapters.path(self.parent) or self.plan.adapters.dir
        return Examiner(self._exam, self.watch, report.known(directory))

    # -- what they leave -------------------------------------------------------------------------

    def _keep(
        self,
        name: PassName,
        trained: "Trained",
        chosen: Selection[_Kind],
        new: Container[str],
        replayed: Iterable[str],
    ) -> PassDone:
        """Save a version that has learned `new`, and go on from it unless it is held back."""
        repeated_ids = list(replayed)
        lost = sum(r.id not in new and r.id not in repeated_ids for r in chosen.train)
        return self._save(name, trained, _covered(chosen, new), repeated_ids, lost)

    def _save(
        self,
        name: PassName,
        trained: "Trained",
        records: list[str],
        replayed: list[str],
        left_out: int,
    ) -> PassDone:
        plan, adapters = self.plan, self.plan.adapters
        kind: Kind = "reward" if name == "reward" else "adapter"
        before, after = trained.before, trained.after
        held_back = judge(before, after) if before and after else ()
        done = PassDone(
            name=name,
            version="",
            steps=trained.steps,
            losses=trained.losses,
            seconds=round(trained.seconds, 2),
            trained_tokens=trained.trained_tokens,
            metrics={
                **trained.metrics,
                "tokens": trained.tokens,
                "left_out_too_long": left_out,
            },
            held_back=held_back,
        )
        with adapters.new_version(kind) as (version, directory):
            trained.save(directory)
            if before and after:
                report.write(
                    directory,
                    Report(
                        version=version,
                        parent=self.parent,
                        pass_name=name,
                        before=before,
                        after=after,
                        held_back=held_back,
                        metrics=done.metrics,
                    ),
                )
            write_manifest(
                directory,
                Manifest(
                    version=version,
                    kind=kind,
                    pass_name=name,
                    model=adapters.folder.id,
                    revision=adapters.folder.revision,
                    template=template_hash(trained.tokenizer),
                    parent=BASE if kind == "reward" else self.parent,
                    records=tuple(records),
                    replayed=tuple(replayed),
                    data=_fingerprint(plan, {*records, *replayed}),
                    held_back=held_back,
                    settings=plan.settings.model_dump(),
                    libraries={
                        library: library_version(library)
                        for library in ("torch", "transformers", "peft", "trl")
                    },
                    metrics={
                        **done.metrics,
                        "steps": done.steps,
                        "losses": done.losses,
                        "seconds": done.seconds,
                        "trained_tokens": done.trained_tokens,
                    },
                ),
            )
        if before and self.parent == BASE:
            report.remember_base(adapters.dir, before)
        if kind == "adapter" and not held_back:
            self.parent = version
        return replace(done, version=version)


def _covered(chosen: Selection[_Kind], trained: Container[str]) -> list[str]:
    """Ids of all records that say what a trained one says, itself included."""
    learned = {said(record) for record in chosen.new if record.id in trained}
    return [record.id for record in chosen.unlearned if said(record) in learned]


def _fingerprint(plan: Plan, ids: Container[str]) -> str:
    """SHA-256 of what was trained on, so that two versions can be told to have seen the same."""
    digest = sha256()
    records: tuple[Record, ...] = (
        *plan.sft.unlearned,
        *plan.sft.replayed,
        *plan.kto.unlearned,
        *plan.kto.replayed,
        *plan.dpo.unlearned,
        *plan.dpo.replayed,
    )
    for line in sorted({repr(said(record)) for record in records if record.id in ids}):
        digest.update(line.encode("utf-8"))
    return digest.hexdigest()
