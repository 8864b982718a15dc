"""A conversation that the model's template refuses is named, and blocks no other."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.config import Config
from core.models.folder import ModelFolder
from core.runs import template_refusals
from core.runs.plan import make_plan
from core.runs.plan_notes import plan_notes
from core.runs.samples import RunSamples
from core.runs.template_refusals import refused_records
from data.quality.checks import REFUSED, check
from store.records import ChatMessage, Instruction, Preference, Record, Role
from tests.families import MISTRAL

WHY = "Conversation roles must alternate"


def asked(*roles: Role) -> tuple[ChatMessage, ...]:
    return tuple(ChatMessage(role=role, content=f"{role} speaks") for role in roles)


GOOD = [
    Instruction(id="plain", prompt=asked("user"), completion="yes"),
    Instruction(id="long", prompt=asked("user", "assistant", "user"), completion="yes"),
    Instruction(id="system", prompt=asked("system", "user"), completion="yes"),
]
BAD: list[Record] = [
    Instruction(id="twice", prompt=asked("user", "user"), completion="yes"),
    Instruction(id="greeting", prompt=asked("assistant", "user"), completion="yes"),
    Instruction(id="middle", prompt=asked("user", "system", "user"), completion="yes"),
    Preference(id="pair", prompt=asked("user", "user"), chosen="yes", rejected="no"),
]


@pytest.fixture
def strict(tiny_folder: ModelFolder, tmp_path: Path) -> ModelFolder:
    """A model whose template wants questions and replies to alternate."""
    path = tmp_path / "strict"
    shutil.copytree(tiny_folder.path, path)
    (path / "chat_template.jinja").unlink(missing_ok=True)
    settings = path / "tokenizer_config.json"
    told = json.loads(settings.read_text("utf-8"))
    settings.write_text(json.dumps({**told, "chat_template": MISTRAL}), "utf-8")
    return replace(tiny_folder, path=path)


def test_records_that_the_template_refuses_are_named(strict: ModelFolder) -> None:
    refused = refused_records([*GOOD, *BAD], strict, "")
    assert list(refused) == [record.id for record in BAD]
    assert all(WHY in refused[name] for name in ("twice", "greeting", "pair"))
    assert list(refused_records([*GOOD, *BAD], strict, "Be brief.")) == list(refused)


def test_a_tolerant_template_refuses_none(tiny_folder: ModelFolder) -> None:
    assert refused_records([*GOOD, *BAD], tiny_folder, "") == {}


def test_nothing_is_loaded_where_all_alternate(
    strict: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_refusals, "load_tokenizer", pytest.fail)
    assert refused_records(GOOD, strict, "Be brief.") == {}


def test_check_finds_them(strict: ModelFolder) -> None:
    records = [*GOOD, *BAD]
    findings = check(records, refused=refused_records(records, strict, ""))
    found = [finding for finding in findings if finding.kind == REFUSED]
    assert [one.record_ids for one in found] == [(record.id,) for record in BAD]
    assert found[0].message.startswith(f"This model's chat template refuses it ({WHY}")


def test_a_pass_leaves_them_out_and_the_plan_says_so(strict: ModelFolder, tmp_path: Path) -> None:
    plan = make_plan([*GOOD, *BAD], Adapters(tmp_path, strict), Config(), frozenset({"sft"}))
    samples = RunSamples(plan)
    assert list(samples.replies(plan.sft.new)) == [record.id for record in GOOD]
    assert samples.pairs(plan.dpo.new) == {}
    assert list(samples.refused) == [record.id for record in BAD]
    (note,) = plan_notes(plan)
    assert note.startswith("3 records are left out")
    assert "twice, greeting, middle" in note
    assert WHY in note
