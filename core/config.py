"""What a person can set: one TOML file, checked on reading. `core.config_file` writes it.

Every field has a default, so an empty or absent file is fine. An unknown key or a bad value is an
error that names the file and the key, because a setting that is silently ignored is worse. The
docstring under a field is what the settings screen says of it.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from store.error_messages import validation_message
from store.errors import TuteeError
from store.i18n import _
from store.records import Sampling

BUILTIN = "builtin"
"""The model that comes with Tutee; see `core.models.builtin`."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Chat(_Section):
    model: str = BUILTIN
    """`builtin`, `hf:owner/name`, `modelscope:owner/name`, or the path of a folder or GGUF file."""
    system_prompt: str = "You are a helpful assistant. Answer clearly and briefly."
    """Put before every conversation that has no system message of its own; empty for none."""
    show_rewards: bool = False
    """Let a reward model that passed its gate score each reply, beside it."""


FourBit = Literal["auto", "never", "always"]


class Serving(_Section):
    """How the model that answers is kept."""

    precision: Literal["auto", "int4", "int8", "bf16", "fp32"] = "auto"
    """Of its weights on a processor: `auto` is the fastest that costs no quality; `fp32` changes
    nothing."""
    four_bit: FourBit = "auto"
    """Keep the base in 4 bits (NF4), in chat and training; `auto` does it on a graphics card that
    would not hold it otherwise."""
    cache_mb: int = Field(256, ge=0)
    """Memory for what was read of earlier chats, so that going on with one starts at once."""


class Tuning(_Section):
    """Defaults follow practice on tiny data; see the README for the reasons."""

    epochs: int = Field(3, ge=1, le=100)
    """How often SFT sees each record."""
    minimum_steps: int = Field(16, ge=1)
    """SFT repeats a small set for more epochs until it makes this many optimiser steps."""
    learning_rate: float = Field(2e-4, gt=0, lt=1)
    """Of SFT."""
    reward_learning_rate: float = Field(1e-3, gt=0, lt=1)
    """Of the reward model."""
    reward_incremental: bool = False
    """Let a reward model that passed its gate learn the new pairs, with replay, instead of training
    another one from the base on all of them: quicker where there are many."""
    preference_learning_rate: float = Field(1e-4, gt=0, lt=1)
    """Of DPO and KTO, which undo themselves at the rate of SFT."""
    preference_minimum_steps: int = Field(40, ge=1)
    """KTO, DPO and the reward model repeat a small set until they make this many steps."""
    beta: float = Field(0.3, gt=0)
    """How closely DPO and KTO keep to the base: the larger, the closer."""
    sft_weight: float = Field(0.2, ge=0)
    """Weight of imitating the chosen replies, beside preferring them, in DPO."""
    rl_steps: int = Field(40, ge=1, le=500)
    """At most; more of it mostly finds the reward model's mistakes."""
    rl_learning_rate: float = Field(1e-4, gt=0, lt=1)
    """Of RL."""
    rl_prompts: int = Field(4, ge=1)
    """Prompts a step, each answered `rl_generations` times."""
    rl_generations: int = Field(4, ge=2)
    """Replies drawn to each prompt; they are measured against each other."""
    rl_max_new_tokens: int = Field(64, ge=4)
    """Tokens at most in each of these replies."""
    rl_beta: float = Field(0.05, ge=0)
    """Price of a nat of KL to the base, in reward."""
    kl_limit: float = Field(0.5, gt=0)
    """RL stops once its replies are this many nats a token further from the base than at first."""
    batch_size: int = Field(4, ge=1)
    """Samples an optimiser step, however small the micro-batches are."""
    rank: int = Field(16, ge=1)
    """Of the LoRA adapter: how much it can hold."""
    alpha: int = Field(32, ge=1)
    """Of the LoRA adapter: its output is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Of the LoRA adapter, in SFT: the other passes compare likelihoods or rewards, which it would
    blur. Costs much time on a CPU."""
    replay: float = Field(0.4, ge=0, lt=1)
    """Share of each SFT run that repeats what the adapter has learned before."""
    rehearsal: float = Field(1.0, ge=0)
    """How firmly SFT keeps to the base on general texts that nobody taught it; 0 lets go."""
    max_length: int = Field(1024, ge=16)
    """Tokens of prompt and reply; longer records are left out of a pass and named."""
    sft_minimum: int = Field(4, ge=1)
    """New instruction records from which SFT counts as ready."""
    kto_minimum: int = Field(4, ge=1)
    """Thumbs of each kind from which KTO counts as ready."""
    dpo_minimum: int = Field(20, ge=1)
    """Preference pairs from which DPO counts as ready."""
    rl_minimum: int = Field(20, ge=1)
    """Prompts from which RL counts as ready."""
    reward_minimum: int = Field(20, ge=2)
    """Preference pairs from which the reward model counts as ready."""
    seed: int = 0
    """The same seed, records and settings make the same adapter."""


ThemeName = Literal[
    "auto",
    "dark",
    "light",
    "terminal",
    "nord",
    "gruvbox",
    "tokyo-night",
    "catppuccin-latte",
    "solarized-light",
]


class Screen(_Section):
    """What the app looks and sounds like."""

    theme: ThemeName = "auto"
    """`auto` is dark or light as the terminal is; `terminal` takes the terminal's own colours."""
    guide: bool = True
    """Show the first steps, until they are done or skipped."""
    bell: bool = True
    """Ring the terminal's bell when a training run ends."""
    notify: bool = True
    """When a training run ends while you look elsewhere, ask the terminal to tell the desktop."""
    language: Literal["auto", "en", "zh"] = "auto"
    """Of all that is said here; `auto` is as the system is set."""


class Preset(Sampling):
    """A way a chat can go on: `/preset NAME` takes it."""

    system_prompt: str = ""
    """Empty for that of the settings."""

    def sampling(self) -> Sampling:
        return Sampling(**self.model_dump(exclude={"system_prompt"}))


PRESETS = {
    "precise": Preset(temperature=0, top_p=1, repetition_penalty=1.05),
    "balanced": Preset(),
    "creative": Preset(temperature=0.9, top_p=0.95),
}
"""Those that come along."""

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _flat(keys: object) -> object:
    """`chat.like = "f2"` means the same with and without quotes around the id."""
    if not isinstance(keys, dict):
        return keys
    flat: dict[str, object] = {}
    for name, value in keys.items():
        inner = value if isinstance(value, dict) else {"": value}
        flat.update({f"{name}.{rest}".rstrip("."): key for rest, key in inner.items()})
    return flat


class Config(_Section):
    chat: Chat = Chat()
    sampling: Sampling = Sampling()
    serving: Serving = Serving()
    tuning: Tuning = Tuning()
    screen: Screen = Screen()
    presets: dict[Word, Preset] = {}
    """The person's own."""
    keys: Annotated[dict[str, str], BeforeValidator(_flat)] = {}
    """Other keys, by the id of what they do; `tutee keys` lists the ids."""
    tasks: dict[Word, tuple[Word, ...]] = {}
    """Words by which the statistics tell what a prompt asks for, by task; they come before the
    built-in ones. See `data.quality.task_labels`."""


def load(path: Path, model: str | None = None) -> Config:
    """Read the settings from `path`; defaults where it does not exist.

    Args:
        path: Where they are.
        model: Takes the place of the model they name.

    Raises:
        TuteeError: it is not TOML, or has an unknown key or a value out of range.
    """
    found = parse(read(path), path)
    if model is None:
        return found
    return found.model_copy(update={"chat": found.chat.model_copy(update={"model": model})})


def read(path: Path) -> str:
    """The text of the settings; empty where there is no file.

    Raises:
        TuteeError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise TuteeError(
            _("Cannot read the settings in {path}: {why}.").format(path=path, why=error)
        ) from error


def parse(text: str, path: Path) -> Config:
    """The settings that `text` says, which is or will be in `path`.

    Raises:
        TuteeError: it is not TOML, or has an unknown key or a value out of range.
    """
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise TuteeError(
            _("The settings in {path} are not valid TOML: {why}.").format(path=path, why=error)
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise TuteeError(
            _("The settings in {path} have a problem at `{key}`: {matter}.").format(
                path=path, key=key, matter=validation_message(first)
            ),
            _("Mend that line, or remove it to get the default back."),
        ) from error
