"""TRL's `RLOOTrainer` with Tutee's rollouts and log-probabilities (`core.training.rloo`).

The method itself is TRL's: groups, leave-one-out advantages, KL in the reward, the clipped loss.
Only the steps that run a model are overridden, and scheduled beside the chat. Imported on first
use, because TRL takes seconds.
"""

import functools
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from statistics import fmean
from typing import Any

import torch
from trl import RLOOTrainer
from trl.trainer.utils import RepeatSampler

from core import stop_reasons
from core.config import Tuning
from core.events import RolloutReport
from core.serving.batch_generation import generate_batch
from core.serving.detokenizer import decode
from core.serving.sampling import Sampler
from core.serving.transformers_decoder import prefill_batch
from core.training.logprobs import reply_logits
from core.training.micro_batches import packed_row
from core.training.rollout import Prompt, Reward, Rollout
from core.training.trainer import ControlledTrainer
from data.tokenization import Sample, stop_ids
from store.errors import TuteeError
from store.i18n import _
from store.records import Sampling

TRUNCATED_LIMIT, TRUNCATED_RISE = 0.3, 0.2
"""The run stops if more than this share of replies is cut off, and this much more than at first."""
_STEPS = 5
"""Steps averaged for that share: in a single step it varies too much by chance."""

_UNCHANGED = Sampling(temperature=1, top_p=1, repetition_penalty=1)
"""Rollouts are sampled from the policy's own distribution, as the gradient assumes."""
_GREEDY = Sampling(temperature=0, repetition_penalty=1)


class PackedRLOOTrainer(ControlledTrainer, RLOOTrainer):
    """Call `begin` before `controlled_train`."""

    def begin(self, prompts: Sequence[Prompt], reward: Reward, settings: Tuning) -> None:
        self.prompts, self.reward, self.settings = prompts, reward, settings
        self.stop = stop_ids(self.processing_class)
        # TRL counts a reply that ends on any other token as cut off.
        self.eos_token_ids = sorted(self.stop)
        self.reports: list[RolloutReport] = []
        self.stopped_because = ""
        self._scored: list[tuple[Rollout, float]] = []
        self._values: set[float] = set()

    def greedy_rewards(self, prompts: Sequence[Prompt]) -> list[float | None]:
        """Return the reward of a greedy reply to each of `prompts`; None if it does not end."""
        replies = self._sample(prompts, _GREEDY, 1) if prompts else []
        rollouts = [
            self._rollout(i, prompt, ids)
            for i, (prompt, ids) in enumerate(zip(prompts, replies, strict=True))
        ]
        ended = [rollout for rollout in rollouts if rollout.ended]
        rewards = iter(self.reward(ended) if ended else ())
        return [next(rewards) if rollout.ended else None for rollout in rollouts]

    # -- checkpoints -------------------------------------------------------------------------------

    def own_state(self) -> dict[str, Any]:
        return {
            "reports": [asdict(report) for report in self.reports],
            "values": sorted(self._values),
        }

    def restore(self, state: dict[str, Any], tensors: dict[str, Any]) -> None:
        self.reports = [RolloutReport(**report) for report in state["reports"]]
        self._values = set(state["values"])
        for report in self.reports:
            self.run_control.emit(report)

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(dataset)
        return _SamplerByEpoch(
            sampler.data_source,
            mini_repeat_count=sampler.mini_repeat_count,
            batch_size=sampler.batch_size,
            repeat_count=sampler.repeat_count,
            seed=sampler.seed,
        )

    # -- a step ------------------------------------------------------------------------------------

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        # Rollouts are scheduled token by token, so they come before the micro-batch is.
        prepared = self._prepare_inputs(inputs)
        tokens = prepared["prompt_mask"].sum() + prepared["completion_mask"].sum()
        prepared = {**prepared, "sample_tokens": int(tokens)}
        return super().training_step(model, prepared, num_items_in_batch)

    def _prepare_inputs(self, inputs: Any) -> Any:
        return inputs if isinstance(inputs, dict) else super()._prepare_inputs(inputs)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        self._report()
        return output

    # -- rollouts ----------------------------------------------------------------------------------

    def _tokenize_prompts(self, prompts: list[str]) -> Any:
        return [list(self.prompts[int(prompt)]) for prompt in prompts], None, {}

    def _generate_single_turn(self, prompt_ids: Any, *_: Any) -> list[list[int]]:
        copies = self.settings.rl.generations
        return self._sample(prompt_ids[::copies], _UNCHANGED, copies)

    def _sample(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, copies: int
    ) -> list[list[int]]:
        model = self.accelerator.unwrap_model(self.model)
        training = model.training
        model.eval()
        replies = generate_batch(
            functools.partial(prefill_batch, model),
            prompts,
            functools.partial(Sampler, sampling, self.settings.seed + self.state.global_step),
            self.stop,
            self.settings.rl.max_new_tokens,
            copies=copies,
            slot=self._scheduled,
        )
        model.train(training)
        return replies

    def _scheduled(self) -> Any:
        return self.run_control.scheduler.micro_batch(self.run_control.cancelled)

    def _rollout(self, index: int, prompt: Prompt, ids: Sequence[int]) -> Rollout:
        return Rollout(
            prompt=index,
            sample=Sample((*prompt, *ids), len(prompt)),
            text=decode(self.processing_class, ids),
            ended=ids[-1] in self.stop,
        )

    def _calculate_rewards(
        self, inputs: Any, prompts: list[str], completions: Any, completion_ids: Any
    ) -> Any:
        indices = [int(prompt) for prompt in prompts]
        rollouts = [
            self._rollout(index, self.prompts[index], ids)
            for index, ids in zip(indices, completion_ids, strict=True)
        ]
        ended = [rollout for rollout in rollouts if rollout.ended]
        self._scored = list(zip(ended, map(float, self.reward(ended)), strict=True))
        rewards = iter(value for _, value in self._scored)
        # TRL leaves replies without a reward out of their groups.
        values = [next(rewards) if rollout.ended else torch.nan for rollout in rollouts]
        return torch.tensor(values, device=self.accelerator.device)[:, None]

    # -- log-probabilities -------------------------------------------------------------------------

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Any,
        attention_mask: Any,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: Any,
    ) -> tuple[Any, Any, None]:
        """Return (replies, columns) as TRL does, from padded tensors, by packed rows."""
        policy = self.accelerator.unwrap_model(model)
        rows = len(input_ids)
        gradients = torch.is_grad_enabled()
        logps = torch.zeros(rows, logits_to_keep, device=input_ids.device, requires_grad=gradients)
        entropies = torch.zeros_like(logps, requires_grad=False)
        # With gradients, the micro-batch is scheduled already.
        scheduled = nullcontext if gradients else self._scheduled
        samples = [
            _unpadded(ids, mask, logits_to_keep)
            for ids, mask in zip(input_ids, attention_mask, strict=True)
        ]
        # A reply that was cut off has all its columns masked.
        present = [
            i for i, sample in enumerate(samples) if sample.reply_start < len(sample.input_ids)
        ]
        size = batch_size or rows
        for chunk in (present[i : i + size] for i in range(0, len(present), size)):
            with scheduled():
                row = packed_row([samples[i] for i in chunk], policy.dtype)
                replies = reply_logits(policy, row)
                where = _columns(replies.owners, chunk)
                logps = logps.index_put(where, replies.logps())
                if compute_entropy:
                    with torch.no_grad():
                        log_p = replies.logits.log_softmax(-1)
                        entropies[where] = -(log_p.exp() * log_p).sum(-1)
        return logps, entropies if compute_entropy else None, None

    # -- reports -----------------------------------------------------------------------------------

    def _report(self) -> None:
        """Report on the replies just scored, and end the run if it must end."""
        first, _reward = self._scored[0] if self._scored else (None, None)
        report = RolloutReport(
            step=len(self.reports) + 1,
            steps=self.state.max_steps,
            reward=fmean(value for _, value in self._scored) if self._scored else None,
            kl=self._metrics["train"]["kl"][-1],
            truncated=self._metrics["train"]["completions/clipped_ratio"][-1],
            prompt=decode(self.processing_class, self.prompts[first.prompt]) if first else "",
            reply=first.text if first else "",
        )
        self.reports.append(report)
        self._values |= {value for _, value in self._scored}
        self.run_control.emit(report)
        self._refuse_no_signal()
        # Earlier training may already have left the base: only further movement is drift.
        drift = report.kl - self.reports[0].kl
        if drift > self.settings.rl.kl_limit:
            self._end(stop_reasons.STRAYED.format(distance=f"{drift:.2f}"))
        elif share := excessive_truncation([report.truncated for report in self.reports]):
            self._end(stop_reasons.ROLLOUTS_RAN_ON.format(share=f"{share:.0%}"))

    def _refuse_no_signal(self) -> None:
        if len(self.reports) < 2 or len(self._values) > 1:
            return
        if not self._values:
            raise TuteeError(
                _("No reply ended within {limit} tokens.").format(
                    limit=self.settings.rl.max_new_tokens
                ),
                _(
                    "Teach shorter replies first, or raise `max_new_tokens` under [tuning.rl] in "
                    "the settings."
                ),
            )
        raise TuteeError(
            _("All replies got the same reward, so there is nothing to learn."),
            _("Train the reward model on more varied pairs first."),
        )

    def _end(self, why: str) -> None:
        self.stopped_because = why
        self.control.should_training_stop = True


def excessive_truncation(truncated: Sequence[float]) -> float:
    """Return the share of the latest replies that were cut off, if that is too many; else 0.

    Args:
        truncated: Share of cut-off replies in each step so far.
    """
    share = fmean(truncated[-_STEPS:])
    limit = max(TRUNCATED_LIMIT, fmean(truncated[:_STEPS]) + TRUNCATED_RISE)
    return share if len(truncated) > _STEPS and share > limit else 0.0


class _SamplerByEpoch(RepeatSampler):
    """TRL's sampler, with an order that depends on the epoch's number alone.

    TRL's order depends on the epochs before, so a run resumed in its second epoch would see the
    prompts of the first one again.
    """

    def set_epoch(self, epoch: int) -> None:
        self.generator.manual_seed(self.seed + epoch)


def _unpadded(ids: Any, mask: Any, columns: int) -> Sample:
    """Return one row of TRL's padded batch as a sample; its last `columns` hold the reply."""
    prompt = ids[:-columns][mask[:-columns].bool()].tolist()
    reply = ids[-columns:][mask[-columns:].bool()].tolist()
    return Sample((*prompt, *reply), len(prompt))


def _columns(owners: Any, rows: Sequence[int]) -> tuple[Any, Any]:
    """Return the rows and columns of the reply tokens in the padded batch."""
    counts = torch.bincount(owners, minlength=len(rows))
    column = torch.empty_like(owners)
    for sample, count in enumerate(counts.tolist()):
        column[owners == sample] = torch.arange(count, device=owners.device)
    return torch.tensor(rows, device=owners.device)[owners], column
