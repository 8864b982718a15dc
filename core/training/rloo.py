"""Reinforcement learning: make replies with a high reward likelier, without leaving the base.

REINFORCE with a leave-one-out baseline (RLOO, Ahmadian et al., arXiv 2402.14740), by TRL's
`RLOOTrainer`, which takes the place of PPO there: several replies are sampled for each prompt, and
each is compared with the others. The reward is that of the reward model, or any function of a
reply, minus a KL penalty for leaving the base. Tutee changes only how this is computed: rollouts
use the chat's own batched decoder, which prefills each prompt once, and log-probabilities cover
only the reply tokens, in packed rows.

A reply that does not end within `max_new_tokens` gets no reward and teaches nothing. The run stops
early when the policy has moved too far from the base, or when replies no longer end: both are signs
of reward over-optimization (AlpacaFarm, Dubois et al., arXiv 2305.14387, found 20 to 80 steps
best).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from core.config import Tuning
from core.models.folder import ModelFolder
from core.models.loading import load_model
from core.runtime.library_logging import spare_collector
from core.training import lora
from core.training.exam import Examiner
from core.training.memory_budget import micro_batch_tokens
from core.training.rehearsal import RehearsalPlan
from core.training.result import Trained, train_and_examine
from core.training.rollout import Prompt, Reward
from core.training.run_control import RunControl
from core.training.trainer import PassProgress, arguments, assemble

MICRO_BATCH = 4
"""Replies per micro-batch on a CPU: about a second of work on two cores."""


def train(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    prompts: Sequence[Prompt],
    held_out: Sequence[Prompt],
    reward: Reward,
    settings: Tuning,
    run_control: RunControl,
    examiner: Examiner | None = None,
    rehearsal: RehearsalPlan | None = None,
) -> Trained:
    """Train a LoRA adapter towards `reward`, continuing from `adapter` if one is given.

    Returns:
        The metrics hold the mean reward and KL of each step, why the run stopped early if it did,
        and the rewards of greedy replies to `held_out` before and after, with their means.

    Raises:
        Cancelled: `run_control` was cancelled.
        TuteeError: no reply ended, all rewards were equal, or the loss was not finite.
    """
    trainer = build(folder, tokenizer, adapter, prompts, reward, settings, run_control, rehearsal)
    before = trainer.greedy_rewards(held_out)
    trained = train_and_examine(trainer, examiner)
    after = trainer.greedy_rewards(held_out)
    return replace(
        trained,
        metrics={
            "rewards": [report.reward for report in trainer.reports],
            "kl": [report.kl for report in trainer.reports],
            "truncated": [report.truncated for report in trainer.reports],
            "stopped_because": trainer.stopped_because,
            "holdout_prompts": len(held_out),
            "holdout_reward_before": _mean(before),
            "holdout_reward": _mean(after),
            "holdout_rewards_before": before,
            "holdout_rewards": after,
        },
    )


def _mean(rewards: Sequence[float | None]) -> float | None:
    """Return the mean over the replies that ended; None if none did."""
    ended = [reward for reward in rewards if reward is not None]
    return fmean(ended) if ended else None


def build(
    folder: ModelFolder,
    tokenizer: Any,
    adapter: Path | None,
    prompts: Sequence[Prompt],
    reward: Reward,
    settings: Tuning,
    run_control: RunControl,
    rehearsal: RehearsalPlan | None = None,
) -> Any:
    """Build the trainer, ready for `controlled_train`."""
    from datasets import Dataset
    from trl import RLOOConfig

    from core.training.rloo_trainer import PackedRLOOTrainer

    spare_collector()
    base = load_model(folder)
    # A step of more prompts than there are would never fill up.
    replies = min(settings.rl.prompts, len(prompts)) * settings.rl.generations
    micro_batch = math.gcd(replies, replies_per_micro_batch(folder, prompts, settings))
    common = arguments(settings, micro_batch, settings.rl.learning_rate)
    del common["max_length"]  # TRL's config for this trainer has no such field
    trainer = assemble(
        PackedRLOOTrainer,
        RLOOConfig,
        run_control,
        PassProgress("rl", run_control),
        {
            **common,
            "gradient_accumulation_steps": replies // micro_batch,
            "max_steps": settings.rl.steps,
        },
        {
            "num_generations": settings.rl.generations,
            "max_completion_length": settings.rl.max_new_tokens,
            "beta": settings.rl.beta,
            "mask_truncated_completions": True,
            "disable_dropout": True,  # TRL's default in the other passes that compare likelihoods
        },
        model=lora.policy(base, adapter, settings),
        train_dataset=Dataset.from_dict({"prompt": [str(i) for i in range(len(prompts))]}),
        processing_class=tokenizer,
        reward_funcs=no_reward,
    )
    lora.drop_reference_copy(trainer.model)
    if rehearsal:
        trainer.rehearsal = rehearsal.begin(trainer.model, run_control)
    trainer.begin(prompts, reward, settings)
    return trainer


def replies_per_micro_batch(
    folder: ModelFolder, prompts: Sequence[Prompt], settings: Tuning
) -> int:
    """Return how many replies share a micro-batch; more on a GPU with more memory."""
    longest = max(map(len, prompts)) + settings.rl.max_new_tokens
    room = micro_batch_tokens(folder) // longest
    return MICRO_BATCH << max(0, (room // MICRO_BATCH).bit_length() - 1)


def no_reward(prompts: Sequence[str], **columns: Any) -> list[None]:
    """Satisfy TRL, which requires a reward function; the trainer calls the pass's own."""
    return [None] * len(prompts)
