"""From a plan to new versions: training, examining and saving, one version a pass.

Each pass goes on from the version that the one before it made, unless that one was held back by the
gate (`core.evaluation.report`); then it goes on from where that one began. A version that was held
back is kept, labelled and never adopted by itself.

A run is on the disk while it is under way (`core.runs.saved_run`), so that it can be resumed when
the program ends in the middle of it. It is forgotten when it ends, is cancelled, or fails for a
reason that would be the same again.

Left out on purpose: adopting the new version. Who asked for the run does that, between two replies.
"""

import gc
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import Tuning
from core.evaluation import report
from core.events import PassDone, PassName, PassSkipped, PassStarted
from core.runs import saved_run
from core.runs.plan import Plan, repeated, steps
from core.runs.samples import Lessons
from core.runs.save_version import Learned, learned, save
from core.runs.saved_run import Run
from core.runtime.failures import is_out_of_memory
from core.runtime.scheduler import Cancelled
from core.training.exam import Examiner
from core.training.memory_budget import TooLittleMemory, micro_batch_tokens, require
from core.training.packing import packed_length
from data.tokenization import Sample
from store.errors import TuteeError
from store.i18n import _
from store.records import Verdict

if TYPE_CHECKING:
    from core.training.result import Trained
    from core.training.run_control import RunControl

Finished = Callable[[PassDone], None]


def run(plan: Plan, run_control: "RunControl", finished: Finished | None = None) -> None:
    """Train the wanted passes of `plan`, one version each.

    Args:
        finished: Told of each pass once its version is on disk.

    Raises:
        TuteeError: no pass is wanted, or one could not be done; earlier ones are kept.
        Cancelled: `run_control` was cancelled; nothing of the pass under way is kept. Or it was
            interrupted; then `runs.unfinished` finds the run.
    """
    if not plan.wanted:
        missing = _("; ").join(f"{p.name}: {p.missing}" for p in plan.passes if p.missing)
        raise TuteeError(
            _("There is nothing to train yet."), _("So far: {missing}.").format(missing=missing)
        )
    resume(saved_run.begin(plan), run_control, finished)


def resume(begun: Run, run_control: "RunControl", finished: Finished | None = None) -> None:
    """Go on with a run where it was, to the very versions it would have made.

    Args:
        finished: Told of each pass once its version is on disk, of those that were done before too.

    Raises:
        TuteeError, Cancelled: as `run`.
    """
    try:
        _go(begun, run_control, finished)
    except Cancelled:
        if not run_control.interrupted:
            begun.drop()
        raise
    except TuteeError as error:
        # What the machine refused (then there is a cause) may work later; what the data did, never.
        if error.__cause__ is None and not isinstance(error, TooLittleMemory):
            begun.drop()
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TuteeError(
            _("Tuning ran out of memory."),
            _("Close other programs and resume it, or use a smaller model; nothing else was lost."),
        ) from error
    begun.drop()


def _go(begun: Run, run_control: "RunControl", finished: Finished | None) -> None:
    passes = _Passes(begun, run_control)
    earlier = {done.name: done for done in begun.finished()}
    for planned in begun.plan.wanted:
        done = earlier.get(planned.name) or passes.run(planned.name)
        begun.leave(planned.name)
        # A trainer and its model point at each other, so they would stay until some collection.
        gc.collect()
        run_control.emit(done)
        if isinstance(done, PassDone):
            if done.adoptable:
                passes.parent = done.version
            if finished:
                finished(done)


class _Passes:
    """The passes of one run, and what they share."""

    def __init__(self, begun: Run, run_control: "RunControl") -> None:
        self.plan = begun.plan
        self.run_control = run_control
        self.parent = begun.plan.parent
        """The version that the next pass goes on from."""
        self._run = begun
        self._lessons = Lessons(begun.plan)

    def run(self, name: PassName) -> PassDone | PassSkipped:
        passes: dict[PassName, Callable[[], PassDone | PassSkipped]] = {
            "sft": self._sft,
            "kto": self._kto,
            "dpo": self._dpo,
            "reward": self._reward,
            "rl": self._rl,
        }
        self.run_control.checkpoints = self._run.checkpoints(name)
        return passes[name]()

    # -- the passes ------------------------------------------------------------------------------

    def _sft(self) -> PassDone:
        from core.training import sft

        chosen = self.plan.sft
        new, replayed = self._lessons.samples(chosen.new), self._lessons.samples(chosen.replayed)
        training = [*new.values(), *replayed.values()]
        settings = repeated(self.plan.settings, len(training), self.plan.settings.minimum_steps)
        groups, beside = [(sample,) for sample in training], self._lessons.rehearsed
        figures = self._begin("sft", groups, settings, len(new), len(replayed), beside)
        trained = sft.train(
            *self._onward(),
            training,
            settings,
            self.run_control,
            self._examiner(),
            beside,
        )
        return self._save("sft", trained, learned(chosen, new, replayed), figures)

    def _kto(self) -> PassDone:
        from core.training import kto

        def judged(records: Iterable[Verdict]) -> dict[str, kto.Judged]:
            labels = {record.id: record.label for record in records}
            samples = self._lessons.samples(records)
            return {name: kto.Judged(sample, labels[name]) for name, sample in samples.items()}

        chosen = self.plan.kto
        new, replayed = judged(chosen.new), judged(chosen.replayed)
        training = [*new.values(), *replayed.values()]
        if len({sample.label for sample in training}) < 2:
            raise TuteeError(
                _("All thumbs point the same way, so KTO has nothing to compare."),
                _("Rate some replies the other way, or leave KTO out."),
            )
        settings = self._preferring(len(training))
        groups = [(one.sample,) for one in training]
        figures = self._begin("kto", groups, settings, len(new), len(replayed))
        held_out = list(judged(chosen.held_out).values())
        trained = kto.train(
            *self._onward(), training, held_out, settings, self.run_control, self._examiner()
        )
        return self._save("kto", trained, learned(chosen, new, replayed), figures)

    def _dpo(self) -> PassDone:
        from core.training import dpo

        chosen = self.plan.dpo
        new, replayed = self._lessons.pairs(chosen.new), self._lessons.pairs(chosen.replayed)
        training = [*new.values(), *replayed.values()]
        settings = self._preferring(len(training))
        figures = self._begin("dpo", training, settings, len(new), len(replayed))
        held_out = list(self._lessons.pairs(chosen.held_out).values())
        trained = dpo.train(
            *self._onward(), training, held_out, settings, self.run_control, self._examiner()
        )
        return self._save("dpo", trained, learned(chosen, new, replayed), figures)

    def _reward(self) -> PassDone:
        from core.training import reward

        chosen, adapters, parent = self.plan.reward, self.plan.adapters, self.plan.reward_parent
        new, replayed = self._lessons.pairs(chosen.new), self._lessons.pairs(chosen.replayed)
        training = [*new.values(), *replayed.values()]
        settings = self._preferring(len(training))
        figures = self._begin("reward", training, settings, len(new), len(replayed))
        held_out = self._lessons.pairs(chosen.held_out)
        trained = reward.train(
            adapters.folder,
            self._lessons.tokenizer,
            adapters.path(parent),
            training,
            list(held_out.values()),
            settings,
            self.run_control,
        )
        lessons = learned(chosen, new, replayed, held_out)
        return save(self.plan, parent, "reward", trained, lessons, figures)

    def _rl(self) -> PassDone | PassSkipped:
        from core.training import reward, rloo

        name = self.plan.adapters.trusted_reward_model()
        if name is None:
            rewards = self.plan.adapters.versions("reward")
            if rewards:
                why = _(
                    "RL needs a reward model it can trust, and {version} did not pass its gate."
                ).format(version=rewards[-1].version)
            else:
                why = _("RL needs a reward model it can trust, and there is none yet.")
            return PassSkipped("rl", why)
        directory = self.plan.adapters.path(name)
        assert directory is not None  # only the base has none
        prompts = self._lessons.prompts(self.plan.rl.train)
        self._refuse_nothing(prompts)
        settings = self.plan.settings
        self.run_control.emit(PassStarted("rl", settings.rl_steps, len(prompts), 0))
        together = rloo.together(self.plan.adapters.folder, prompts, settings)
        longest = sorted(prompts, key=len)[-together:]
        drawn = together * settings.rl_max_new_tokens
        tokens = drawn + packed_length(longest, [len(prompt) for prompt in longest])
        require("rl", self.plan.adapters.folder, settings, tokens, drawn)
        scorer = reward.Scorer(self.plan.adapters.folder, directory, self.run_control)
        trained = rloo.train(
            *self._onward(),
            prompts,
            self._lessons.prompts(self.plan.rl.held_out),
            lambda rollouts: scorer([rollout.sample for rollout in rollouts]),
            settings,
            self.run_control,
            self._examiner(),
        )
        return self._save("rl", trained, Learned(), {"reward_model": name})

    # -- what they have in common ----------------------------------------------------------------

    def _begin(
        self,
        name: PassName,
        groups: Sequence[Sequence[Sample]],
        settings: Tuning,
        new: int,
        replayed: int,
        beside: Sequence[Sample] = (),
    ) -> dict[str, Any]:
        """Tell of the pass, prove that it learns the replies and nothing else, and that it fits.

        Args:
            beside: Texts that are rehearsed beside the training.

        Returns:
            What the proof has to say in the version's metrics.
        """
        from core.training import rehearsal
        from core.training.mask_check import prove

        self._refuse_nothing(groups)
        self.run_control.emit(PassStarted(name, steps(len(groups), settings), new, replayed))
        folder = self.plan.adapters.folder
        most = micro_batch_tokens(folder)
        proof = prove(
            name, self._lessons.tokenizer, groups, settings.batch_size, most, self.run_control
        )
        # Of the largest micro-batch, as many will be trained as of all of them on average.
        trained = proof.largest * proof.trained // max(proof.packed_tokens, 1)
        longest = sorted(len(sample.input_ids) for sample in beside)[-rehearsal.TOGETHER :]
        extra = sum(longest)
        require(name, folder, settings, proof.largest + extra, trained + extra)
        return {"padding": round(proof.padding, 4)}

    def _refuse_nothing(self, lessons: Sequence[Any]) -> None:
        if not lessons:
            raise TuteeError(
                _(
                    "Every record is longer than {limit:,} tokens, so none can be trained on."
                ).format(limit=self._lessons.limit),
                _(
                    "Teach with shorter replies, or raise `max_length` under [tuning] in the "
                    "settings where the model's context allows it."
                ),
            )

    def _preferring(self, samples: int) -> Tuning:
        settings = self.plan.settings
        return repeated(settings, samples, settings.preference_minimum_steps)

    def _onward(self) -> tuple[Any, Any, Path | None]:
        """The base, its tokenizer and the adapter to go on from."""
        adapters = self.plan.adapters
        return adapters.folder, self._lessons.tokenizer, adapters.path(self.parent)

    def _examiner(self) -> Examiner:
        directory = self.plan.adapters.path(self.parent) or self.plan.adapters.dir
        return Examiner(self._lessons.exam, self.run_control, report.known(directory))

    def _save(
        self, name: PassName, trained: "Trained", lessons: Learned, figures: dict[str, Any]
    ) -> PassDone:
        return save(self.plan, self.parent, name, trained, lessons, figures)
