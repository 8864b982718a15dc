"""The passes of a run: prepare the samples, check mask and memory, train, save the version."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapters.manifest import BASE
from core.config import Tuning
from core.evaluation import report
from core.events import PassDone, PassName, PassSkipped, PassStarted
from core.runs.pass_duration import optimizer_steps, with_minimum_steps
from core.runs.plan import Plan
from core.runs.samples import RunSamples
from core.runs.save_version import LearnedRecords, learned_records, save_version
from core.training import lora
from core.training.exam import Examiner
from core.training.memory_budget import micro_batch_tokens, require_memory
from core.training.packing import packed_length
from core.training.reward_accuracy import CROSS_VALIDATED, why_untrusted
from data.tokenization import Sample
from data.training_split import group_numbers
from store.errors import TuteeError
from store.i18n import _
from store.records import Verdict

if TYPE_CHECKING:
    from core.training.result import Trained
    from core.training.run_control import RunControl


_NAMED = 50
"""Refused records that a version's manifest names."""


class PassRunner:
    """Runs the passes of one plan, one after another."""

    def __init__(self, plan: Plan, run_control: "RunControl") -> None:
        self.parent = plan.parent
        """The version that the next pass continues; set by the caller."""
        self._plan = plan
        self._run_control = run_control
        self._samples = RunSamples(plan)

    def run(self, name: PassName) -> PassDone | PassSkipped:
        """Train one pass and save its version.

        Raises:
            TuteeError: it cannot be trained, or its version cannot be saved.
            Cancelled: the run control was cancelled or interrupted.
        """
        passes: dict[PassName, Callable[[], PassDone | PassSkipped]] = {
            "sft": self._sft,
            "kto": self._kto,
            "dpo": self._dpo,
            "reward": self._reward,
            "rl": self._rl,
        }
        self._run_control.begin_pass()
        return passes[name]()

    # -- the passes ------------------------------------------------------------------------------

    def _sft(self) -> PassDone:
        from core.training import sft

        records = self._plan.sft
        new, replayed = self._samples.replies(records.new), self._samples.replies(records.replayed)
        training = [*new.values(), *replayed.values()]
        settings = self._plan.settings
        settings = with_minimum_steps(settings, len(training), settings.sft.minimum_steps)
        groups = [(sample,) for sample in training]
        metrics = self._begin("sft", groups, settings, len(new), len(replayed))
        trained = sft.train(
            *self._start(),
            training,
            settings,
            self._run_control,
            self._examiner(),
            self._samples.rehearsal,
        )
        return self._save("sft", trained, learned_records(records, new, replayed), metrics)

    def _kto(self) -> PassDone:
        from core.training import kto

        def judged(records: Iterable[Verdict]) -> dict[str, kto.LabeledReply]:
            given = {record.id: record for record in records}
            weights = {name: kto.HARM_WEIGHT if r.harmful else 1.0 for name, r in given.items()}
            samples = self._samples.replies(records)
            return {
                name: kto.LabeledReply(sample, given[name].label, weights[name])
                for name, sample in samples.items()
            }

        records = self._plan.kto
        new, replayed = judged(records.new), judged(records.replayed)
        training = [*new.values(), *replayed.values()]
        if len({sample.label for sample in training}) < 2:
            raise TuteeError(
                _("All thumbs point the same way, so KTO has nothing to compare."),
                _("Rate some replies the other way, or leave KTO out."),
            )
        settings = kto.with_minimum_batch(self._plan.settings)
        settings = with_minimum_steps(settings, len(training), settings.preference.minimum_steps)
        groups = [(one.sample,) for one in training]
        metrics = self._begin("kto", groups, settings, len(new), len(replayed))
        metrics |= _thumbs([r for r in records.train if r.id in new or r.id in replayed])
        held_out = list(judged(records.held_out).values())
        trained = kto.train(
            *self._start(),
            training,
            held_out,
            settings,
            self._run_control,
            self._examiner(),
            self._samples.rehearsal,
        )
        return self._save("kto", trained, learned_records(records, new, replayed), metrics)

    def _dpo(self) -> PassDone | PassSkipped:
        from core.training import dpo

        records = self._plan.dpo
        new, replayed = self._samples.pairs(records.new), self._samples.pairs(records.replayed)
        training = [*new.values(), *replayed.values()]
        settings = self._preference_settings(len(training))
        metrics = self._begin("dpo", training, settings, len(new), len(replayed))
        held_out = list(self._samples.pairs(records.held_out).values())
        try:
            trained = dpo.train(
                *self._start(),
                training,
                held_out,
                settings,
                self._run_control,
                self._examiner(),
                self._samples.rehearsal,
            )
        except dpo.AlreadyLearned as error:
            return PassSkipped("dpo", error.title)
        return self._save("dpo", trained, learned_records(records, new, replayed), metrics)

    def _reward(self) -> PassDone:
        from core.training import cross_validation

        records, adapters, parent = self._plan.reward, self._plan.adapters, self._plan.reward_parent
        new, replayed = self._samples.pairs(records.new), self._samples.pairs(records.replayed)
        training = [*new.values(), *replayed.values()]
        held_out = self._samples.pairs(records.held_out)
        group_of = group_numbers((*records.train, *records.held_out))
        groups = [group_of[name] for name in (*new, *replayed, *held_out)]
        settings = self._preference_settings(len(training))
        folds: list[cross_validation.Fold] = []
        if parent == BASE and len(groups) < CROSS_VALIDATED:
            folds = cross_validation.split(groups[: len(training)], settings.seed)
        of_folds = sum(cross_validation.fold_steps(len(training), folds, settings))
        metrics = self._begin(
            "reward", training, settings, len(new), len(replayed), more_steps=of_folds
        )
        trained = cross_validation.train(
            adapters.folder,
            self._samples.tokenizer,
            adapters.path(parent),
            training,
            list(held_out.values()),
            groups,
            folds,
            settings,
            self._run_control,
        )
        learned = learned_records(records, new, replayed, held_out)
        return self._save("reward", trained, learned, metrics, parent)

    def _rl(self) -> PassDone | PassSkipped:
        from core.training import reward, rloo

        adapters, settings = self._plan.adapters, self._plan.settings
        reward_model = adapters.trusted_reward_model()
        if reward_model is None:
            return PassSkipped("rl", self._why_no_reward_model())
        directory = adapters.path(reward_model)
        assert directory is not None  # only the base has none
        prompts = self._samples.prompts(self._plan.rl.train)
        self._require_any(prompts)
        self._run_control.emit(PassStarted("rl", settings.rl.steps, len(prompts), 0))
        together = rloo.replies_per_micro_batch(adapters.folder, prompts, settings)
        longest = sorted(prompts, key=len)[-together:]
        generated = together * settings.rl.max_new_tokens
        tokens = generated + packed_length(longest, [len(prompt) for prompt in longest])
        shape = lora.continued(settings, adapters.path(self.parent))
        require_memory("rl", adapters.folder, shape, tokens, generated)
        scorer = reward.Scorer(adapters.folder, directory, self._run_control)
        trained = rloo.train(
            *self._start(),
            prompts,
            self._samples.prompts(self._plan.rl.held_out),
            lambda rollouts: scorer([rollout.sample for rollout in rollouts]),
            settings,
            self._run_control,
            self._examiner(),
            self._samples.rehearsal,
        )
        return self._save("rl", trained, LearnedRecords(), {"reward_model": reward_model})

    # -- their common steps ----------------------------------------------------------------------

    def _begin(
        self,
        name: PassName,
        groups: Sequence[Sequence[Sample]],
        settings: Tuning,
        new: int,
        replayed: int,
        more_steps: int = 0,
    ) -> dict[str, Any]:
        """Announce the pass, check its loss mask and memory, and return metrics of the check.

        Args:
            groups: The training samples, those that always travel together in one group.
            more_steps: Steps that the pass makes apart from those of its own training.
        """
        from core.training.mask_check import check_loss_mask

        self._require_any(groups)
        steps = optimizer_steps(len(groups), settings) + more_steps
        self._run_control.emit(PassStarted(name, steps, new, replayed))
        folder = self._plan.adapters.folder
        proof = check_loss_mask(
            name,
            self._samples.tokenizer,
            groups,
            settings.batch_size,
            micro_batch_tokens(folder),
            self._run_control,
        )
        # Assume that the largest micro-batch has the average share of tokens that carry loss.
        trained = proof.largest * proof.trained // max(proof.packed_tokens, 1)
        beside = self._samples.rehearsal.tokens_per_step if name != "reward" else 0
        # SFT rehearses in the same row, the others in one of its own.
        together = sum if name == "sft" else max
        largest, trained = together((proof.largest, beside)), together((trained, beside))
        parent = self._plan.reward_parent if name == "reward" else self.parent
        shape = lora.continued(settings, self._plan.adapters.path(parent))
        require_memory(name, folder, shape, largest, trained)
        refused = [r.id for r in self._plan.records(name).train if r.id in self._samples.refused]
        left_out = {"left_out_refused": len(refused), "refused": refused[:_NAMED]}
        return {
            "padding": round(proof.padding, 4),
            "planned_steps": steps,
            **(left_out if refused else {}),
        }

    def _require_any(self, samples: Sequence[Any]) -> None:
        if not samples and self._samples.refused:
            raise TuteeError(
                _("This model's chat template refuses every record: {why}").format(
                    why=next(iter(self._samples.refused.values()))
                ),
                _("`tutee check` names them."),
            )
        if not samples:
            raise TuteeError(
                _(
                    "Every record is longer than {limit:,} tokens, so none can be trained on."
                ).format(limit=self._samples.limit),
                _(
                    "Teach with shorter replies, or raise `max_length` under [tuning] in the "
                    "settings where the model's context allows it."
                ),
            )

    def _why_no_reward_model(self) -> str:
        rewards = self._plan.adapters.versions("reward")
        if not rewards:
            return _("RL needs a reward model it can trust, and there is none yet.")
        return _("RL needs a reward model it can trust, and {version} is not: {why}.").format(
            version=rewards[-1].version, why=why_untrusted(rewards[-1].metrics)
        )

    def _preference_settings(self, samples: int) -> Tuning:
        settings = self._plan.settings
        return with_minimum_steps(settings, samples, settings.preference.minimum_steps)

    def _start(self) -> tuple[Any, Any, Path | None]:
        """Return the base, its tokenizer and the folder of the adapter to continue."""
        adapters = self._plan.adapters
        return adapters.folder, self._samples.tokenizer, adapters.path(self.parent)

    def _examiner(self) -> Examiner:
        adapters = self._plan.adapters
        parent = adapters.path(self.parent)
        keep = (
            partial(report.write_figures, parent)
            if parent
            else partial(report.write_base_figures, adapters.dir)
        )
        return Examiner(
            self._samples.exam,
            self._run_control,
            report.base_figures(adapters.dir),
            report.figures_of(parent) if parent else None,
            from_base=parent is None,
            keep=keep,
        )

    def _save(
        self,
        name: PassName,
        trained: "Trained",
        learned: LearnedRecords,
        metrics: dict[str, Any],
        parent: str | None = None,
    ) -> PassDone:
        control = self._run_control
        control.enter("save")
        # A pass that was resumed has trained before, too.
        earlier = max(trained.seconds - control.stages.get("learn", trained.seconds), 0.0)
        metrics = {
            **metrics,
            "wall_seconds": round(control.pass_seconds + earlier, 1),
            "stage_seconds": {stage: round(spent, 2) for stage, spent in control.stages.items()},
            "stage_counts": {stage: count for stage, count in control.counts.items() if count},
        }
        parent = self.parent if parent is None else parent
        return save_version(self._plan, parent, name, trained, learned, metrics)


def _thumbs(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return how many thumbs of each kind a pass learns from, and the reasons given."""
    return {
        "liked": sum(verdict.label for verdict in verdicts),
        "disliked": sum(not verdict.label for verdict in verdicts),
        "harmful": sum(verdict.harmful for verdict in verdicts),
        "reasons": dict(Counter(r for verdict in verdicts for r in verdict.reasons).most_common()),
    }
