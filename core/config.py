"""The user's settings: one TOML file, validated on reading. `core.config_file` writes it.

Every field has a default, so an empty or absent file is fine. An unknown key or a bad value is an
error that names the file and the key, because silently ignoring a setting is worse. The settings
screen shows the docstring under a field as its help.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticKnownError

from store.error_messages import validation_message
from store.errors import TuteeError
from store.i18n import N_, _
from store.records import Sampling

BUILTIN = "builtin"
"""The model that comes with Tutee; see `core.models.builtin`."""

_MANY, _STRONG = 1_000_000, 1000
"""Limits far beyond any use, which only stop typing errors."""


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_bool_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse `seed = true`, which pydantic takes for 1."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and kind in (int, float):
            raise PydanticKnownError("int_type" if kind is int else "float_type")
        return value


class Chat(_Section):
    model: str = Field(BUILTIN, min_length=1)
    """`builtin`, `hf:owner/name`, `modelscope:owner/name`, or the path of a folder or GGUF file."""
    system_prompt: str = N_("You are a helpful assistant. Answer clearly and briefly.")
    """Starts every conversation that has no system message of its own; empty for none."""
    recall: bool = True
    """Put corrections and liked replies that are not learned yet before similar questions, as
    examples."""
    show_rewards: bool = False
    """Show each reply's score by a reward model that passed its gate."""


FourBit = Literal["auto", "never", "always"]


class Serving(_Section):
    """How the chat model is loaded."""

    precision: Literal["auto", "int4", "int8", "bf16", "fp32"] = "auto"
    """Precision of the weights on a CPU: `auto` is the fastest without loss of quality; `fp32`
    leaves them unchanged."""
    four_bit: FourBit = "auto"
    """Load the base in 4 bits (NF4), for chat and training; `auto` does so on a GPU that could not
    hold it otherwise."""
    cache_mb: int = Field(256, ge=0, le=1_000_000)
    """Memory for the KV cache of earlier chats, so that continuing one starts at once."""


class SFTTuning(_Section):
    learning_rate: float = Field(7e-4, gt=0, lt=1)
    """Learning rate of SFT."""
    minimum_steps: int = Field(64, ge=1, le=_MANY)
    """SFT ends when every reply is learned. Until then a small set is repeated for more than
    `epochs`, up to this many optimizer steps."""
    minimum_records: int = Field(4, ge=1, le=_MANY)
    """SFT is ready from this many new instruction records."""


class PreferenceTuning(_Section):
    learning_rate: float = Field(1e-4, gt=0, lt=1)
    """Learning rate of DPO and KTO; at the rate of SFT they undo what they learned."""
    minimum_steps: int = Field(40, ge=1, le=_MANY)
    """KTO, DPO and the reward model repeat a small set until they make this many steps."""
    beta: float = Field(0.3, gt=0, le=_STRONG)
    """How closely DPO and KTO keep to the base: the larger, the closer."""
    sft_weight: float = Field(0.2, ge=0, le=_STRONG)
    """Weight in DPO of imitating the chosen replies, beside preferring them."""
    minimum_thumbs: int = Field(4, ge=1, le=_MANY)
    """KTO is ready from this many thumbs of each kind."""
    minimum_pairs: int = Field(20, ge=1, le=_MANY)
    """DPO is ready from this many preference pairs."""


class RewardTuning(_Section):
    learning_rate: float = Field(1e-3, gt=0, lt=1)
    """Learning rate of the reward model."""
    incremental: bool = False
    """Continue a reward model that passed its gate with the new pairs, and replay, instead of
    training one from the base on all pairs: faster when there are many, and done from 100 on."""
    minimum_pairs: int = Field(20, ge=2, le=_MANY)
    """The reward model is ready from this many preference pairs."""


class RLTuning(_Section):
    steps: int = Field(40, ge=1, le=500)
    """Maximum number of steps; more mostly exploit the reward model's mistakes."""
    learning_rate: float = Field(1e-4, gt=0, lt=1)
    """Learning rate of RL."""
    prompts: int = Field(4, ge=1, le=1024)
    """Prompts per step, each answered `generations` times."""
    generations: int = Field(4, ge=2, le=256)
    """Replies sampled for each prompt; they are compared with each other."""
    max_new_tokens: int = Field(64, ge=4, le=_MANY)
    """Maximum number of tokens in each of these replies."""
    beta: float = Field(0.05, ge=0, le=_STRONG)
    """Reward lost per nat of KL divergence from the base."""
    kl_limit: float = Field(0.5, gt=0, le=_STRONG)
    """RL stops when its replies have moved this many nats per token further from the base than at
    the start."""
    minimum_prompts: int = Field(20, ge=1, le=_MANY)
    """RL is ready from this many prompts."""


FLAT_TUNING: dict[str, tuple[str, str]] = {
    "learning_rate": ("sft", "learning_rate"),
    "minimum_steps": ("sft", "minimum_steps"),
    "sft_minimum": ("sft", "minimum_records"),
    "preference_learning_rate": ("preference", "learning_rate"),
    "preference_minimum_steps": ("preference", "minimum_steps"),
    "beta": ("preference", "beta"),
    "sft_weight": ("preference", "sft_weight"),
    "kto_minimum": ("preference", "minimum_thumbs"),
    "dpo_minimum": ("preference", "minimum_pairs"),
    "reward_learning_rate": ("reward", "learning_rate"),
    "reward_incremental": ("reward", "incremental"),
    "reward_minimum": ("reward", "minimum_pairs"),
    "rl_steps": ("rl", "steps"),
    "rl_learning_rate": ("rl", "learning_rate"),
    "rl_prompts": ("rl", "prompts"),
    "rl_generations": ("rl", "generations"),
    "rl_max_new_tokens": ("rl", "max_new_tokens"),
    "rl_beta": ("rl", "beta"),
    "kl_limit": ("rl", "kl_limit"),
    "rl_minimum": ("rl", "minimum_prompts"),
}
"""Flat names under `[tuning]` in older settings files, and in every manifest and saved run, with
the section and the name each stands for."""


TUNING_PRESETS: dict[str, dict[str, float]] = {
    "default": {},
    "reference": {
        "epochs": 15,
        "batch_size": 8,
        "rank": 16,
        "alpha": 32,
        "dropout": 0.1,
        "warmup": 10,
        "sft.learning_rate": 1e-4,
        "sft.minimum_steps": 1,
        "preference.learning_rate": 1e-4,
    },
    "gentle": {
        "sft.learning_rate": 5e-4,
        "rehearsal": 4.0,
        "preference.learning_rate": 5e-5,
        "preference.beta": 0.5,
    },
    "thorough": {
        "sft.learning_rate": 1e-3,
        "sft.minimum_steps": 128,
        "preference.minimum_steps": 80,
    },
}
"""Default values under `[tuning]`, by preset and dotted key, in place of the usual ones."""


class Tuning(_Section):
    """Defaults follow practice on tiny data; see the README for the reasons."""

    activate: Literal["auto", "ask"] = "auto"
    """Whether a new version that passed its checks is used at once, or when you say so."""
    preset: Literal["default", "reference", "gentle", "thorough"] = "default"
    """Defaults for what you do not set yourself: `reference` trains long and slowly, `gentle` keeps
    more and learns less, `thorough` learns more and takes longer."""
    epochs: int = Field(3, ge=1, le=100)
    """How often a pass sees each record; RL counts steps instead."""
    batch_size: int = Field(4, ge=1, le=1024)
    """Samples per optimizer step, however small the micro-batches are."""
    rank: int = Field(16, ge=1, le=1024)
    """Rank of a new LoRA adapter: how much it can hold. A continued one keeps its own, and its own
    alpha and dropout."""
    alpha: int = Field(32, ge=1, le=65_536)
    """The output of the LoRA adapter is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of the LoRA adapter, in SFT only: the other passes compare likelihoods or rewards,
    which it would blur. Slow on a CPU."""
    warmup: float = Field(0.1, ge=0, le=_MANY)
    """Optimizer steps at the start of a pass in which the learning rate rises to its value; below
    1, a share of all steps."""
    replay: float = Field(0.4, ge=0, lt=1)
    """Share of each run that repeats records the adapter has already learned."""
    max_length: int = Field(1024, ge=16, le=_MANY)
    """Maximum number of tokens in prompt and reply. Of longer conversations the oldest questions
    are dropped, as in the chat; what is longer even so is left out of a pass and listed."""
    rehearsal: float = Field(2.0, ge=0, le=_STRONG)
    """How strongly training keeps to the base's own replies to general prompts that were never
    taught; 0 turns it off."""
    seed: int = Field(0, ge=0, lt=2**32)
    """The same seed, records and settings make the same adapter."""
    sft: SFTTuning = SFTTuning()
    preference: PreferenceTuning = PreferenceTuning()
    reward: RewardTuning = RewardTuning()
    rl: RLTuning = RLTuning()

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, keys: object) -> object:
        """Accept flat names. One whose nested name is also set stays, and is refused as unknown."""
        if not isinstance(keys, dict):
            return keys
        nested = dict(keys)
        for flat, (section, name) in FLAT_TUNING.items():
            inner = nested.get(section, {})
            if flat in keys and isinstance(inner, dict) and name not in inner:
                nested[section] = {**inner, name: nested.pop(flat)}
        return _with_preset(nested)

    @model_serializer
    def _flattened(self) -> dict[str, object]:
        """Flat, as manifests, saved runs and reports have always had it."""
        common = {name: value for name, value in self if not isinstance(value, _Section)}
        return common | {
            flat: getattr(getattr(self, section), name)
            for flat, (section, name) in FLAT_TUNING.items()
        }


def _with_preset(keys: dict[str, Any]) -> dict[str, Any]:
    """Add the values of the preset that `keys` names, where `keys` has none."""
    filled = dict(keys)
    for key, value in TUNING_PRESETS.get(str(keys.get("preset")), {}).items():
        section, _dot, name = key.rpartition(".")
        if not section:
            filled.setdefault(name, value)
        elif isinstance(inner := filled.get(section, {}), dict):
            filled[section] = {name: value, **inner}
    return filled


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
    """How the app looks and sounds."""

    theme: ThemeName = "auto"
    """`auto` is dark or light like the terminal; `terminal` uses the terminal's own colors."""
    guide: bool = True
    """Show the first steps, until they are done or skipped."""
    bell: bool = True
    """Ring the terminal's bell when a training run ends."""
    notify: bool = True
    """Ask the terminal for a desktop notification when a training run ends in the background."""
    language: Literal["auto", "en", "zh"] = "auto"
    """Language of the app; `auto` follows the system."""


class Preset(Sampling):
    """Sampling and system prompt under a name: `/preset NAME` applies them."""

    system_prompt: str = ""
    """Empty for the system prompt of the settings."""

    def sampling(self) -> Sampling:
        return Sampling(**self.model_dump(exclude={"system_prompt"}))


PRESETS = {
    "precise": Preset(temperature=0, top_p=1, repetition_penalty=1.05),
    "balanced": Preset(),
    "creative": Preset(temperature=0.9, top_p=0.95),
    "reference": Preset(temperature=0.7, top_p=0.9, repetition_penalty=1.1, max_new_tokens=100),
}
"""The built-in presets."""

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _flat(keys: object) -> object:
    """Accept `chat.like = "f2"` with and without quotes around the id."""
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
    """The user's own presets, by name."""
    keys: Annotated[dict[str, str], BeforeValidator(_flat)] = {}
    """Keys in place of the default ones, by action id; `tutee keys` lists the ids."""
    tasks: dict[Word, tuple[Word, ...]] = {}
    """Words by which the statistics recognize the task of a prompt, by task; they take precedence
    over the built-in ones. See `data.quality.task_labels`."""


def load(path: Path, model: str | None = None) -> Config:
    """Read the settings from `path`; defaults if the file does not exist.

    Args:
        model: Overrides the model that the settings name.

    Raises:
        TuteeError: not TOML, an unknown key, or an invalid value.
    """
    found = parse(read(path), path)
    if model is None:
        return found
    return found.model_copy(update={"chat": found.chat.model_copy(update={"model": model})})


def read(path: Path) -> str:
    """Return the text of the settings; empty if there is no file.

    Raises:
        TuteeError: the file cannot be read.
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
    """Parse `text`, the content of the settings file at `path`.

    Raises:
        TuteeError: not TOML, an unknown key, or an invalid value.
    """
    try:
        keys = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TuteeError(
            _("The settings in {path} are not valid TOML: {why}.").format(
                path=path, why=str(error)[:200]
            ),
            _("Correct that line, or remove it to restore the default."),
        ) from error
    try:
        return _spoken(Config.model_validate(keys))
    except ValidationError as error:
        first = error.errors()[0]
        raise TuteeError(
            _("The settings in {path} have a problem at `{key}`: {matter}.").format(
                path=path, key=_as_written(first["loc"], keys), matter=validation_message(first)
            ),
            _("Correct that line, or remove it to restore the default."),
        ) from error


def _spoken(config: Config) -> Config:
    """Return `config` with a default system prompt in the language that is spoken."""
    if "system_prompt" in config.chat.model_fields_set:
        return config
    chat = config.chat.model_copy(update={"system_prompt": _(config.chat.system_prompt)})
    return config.model_copy(update={"chat": chat})


def _as_written(place: tuple[int | str, ...], keys: dict[str, Any]) -> str:
    """Return the dotted key at `place`; its flat name if `keys` has that."""
    for flat, nested in FLAT_TUNING.items():
        if place == ("tuning", *nested) and flat in keys["tuning"]:
            return f"tuning.{flat}"
    return ".".join(map(str, place))
