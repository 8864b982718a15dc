"""Plans over records of a base that is not on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.adapters.manifest import Manifest, write_manifest
from core.adapters.registry import Adapters
from core.config import Config, Tuning
from core.events import PassName
from core.models.folder import ModelFolder
from core.runs.plan import PassPlan, Plan, make_plan
from store.records import ChatMessage, Instruction, Preference, Record, Verdict

FOLDER = ModelFolder(Path("/nowhere"), "tiny-0", "tiny", "0")
CONFIG = Config(tuning=Tuning())


def prompt(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=text),)


def instructions(count: int, conversation: str = "") -> list[Instruction]:
    return [
        Instruction(
            prompt=prompt(f"{conversation} hello {n}"),
            completion="yes",
            conversation_id=conversation or f"c{n}",
        )
        for n in range(count)
    ]


def pairs(count: int) -> list[Preference]:
    return [
        Preference(prompt=prompt(f"hello {n}"), chosen="yes", rejected="no") for n in range(count)
    ]


def thumbs(liked: int, disliked: int) -> list[Verdict]:
    return [
        Verdict(prompt=prompt(f"hello {n}"), completion="yes", label=n < liked)
        for n in range(liked + disliked)
    ]


def made(adapters: Adapters, name: str, records: Sequence[Record], **fields: Any) -> None:
    """A version that has learned `records`, and answers."""
    with adapters.new_version("reward" if name == "reward" else "adapter") as (version, directory):
        manifest = Manifest(
            version=version,
            kind="reward" if name == "reward" else "adapter",
            pass_name=name,
            model=FOLDER.id,
            revision=FOLDER.revision,
            parent=adapters.active() if name != "reward" else "base",
            records=tuple(record.id for record in records),
            **fields,
        )
        write_manifest(directory, manifest)
    if name != "reward":
        adapters.use(version)


def plan(
    adapters: Adapters,
    records: Sequence[Record],
    passes: frozenset[PassName] | None = None,
    rebuild: bool = False,
) -> Plan:
    return make_plan(records, adapters, CONFIG, passes, rebuild=rebuild)


def planned(adapters: Adapters, records: Sequence[Record], name: PassName) -> PassPlan:
    return plan(adapters, records).of(name)
