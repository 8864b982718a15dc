"""Versions are whole or absent, and what was learned follows the active one's ancestors."""

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from core.adapters.diff import Difference
from core.adapters.registry import BASE, Adapters, Kind, Manifest, write_manifest
from core.models.folder import ModelFolder
from store.errors import TuteeError


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    folder = ModelFolder(tmp_path / "base", "base-00000000", "base", "revision-1")
    return Adapters(tmp_path / "models", folder)


def add(
    adapters: Adapters,
    *records: str,
    parent: str = BASE,
    revision: str = "revision-1",
    kind: Kind = "adapter",
    **facts: Any,
) -> str:
    with adapters.new_version(kind) as (version, directory):
        (directory / "adapter_model.safetensors").write_bytes(b"weights")
        manifest = Manifest(
            version=version,
            kind=kind,
            model=adapters.folder.id,
            revision=revision,
            parent=parent,
            records=records,
            **facts,
        )
        write_manifest(directory, manifest)
    return version


def test_nothing_but_the_base_at_first(adapters: Adapters) -> None:
    assert adapters.active() == BASE
    assert adapters.versions() == []
    assert adapters.path(BASE) is None
    assert adapters.learned() == frozenset()


def test_use_and_roll_back(adapters: Adapters) -> None:
    add(adapters, "a")
    add(adapters, "b", parent="v1")
    adapters.use("v1")
    adapters.use("v2")
    assert adapters.active() == "v2"
    assert adapters.rollback() == "v1"
    assert adapters.rollback() == BASE
    with pytest.raises(TuteeError, match="nothing to roll back"):
        adapters.rollback()


def test_rolling_back_makes_the_records_of_the_abandoned_version_new_again(
    adapters: Adapters,
) -> None:
    add(adapters, "a")
    add(adapters, "b", "c", parent="v1")
    adapters.use("v1")
    adapters.use("v2")
    assert adapters.learned() == {"a", "b", "c"}
    adapters.rollback()
    assert adapters.learned() == {"a"}
    assert adapters.learned("v2") == {"a", "b", "c"}


def test_a_version_that_fails_while_it_is_written_leaves_nothing(adapters: Adapters) -> None:
    def fail_half_way() -> None:
        with adapters.new_version("adapter") as (_, directory):
            (directory / "adapter_model.safetensors").write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(adapters.dir.iterdir()) == []


def test_what_a_killed_process_left_is_no_version_and_is_cleared_by_the_next(
    adapters: Adapters,
) -> None:
    child = os.fork()
    if not child:
        with adapters.new_version("adapter") as (_, directory):
            (directory / "adapter_model.safetensors").write_bytes(b"half")
            os._exit(9)
    os.waitpid(child, 0)
    assert len(list(adapters.dir.iterdir())) == 1
    assert adapters.versions() == []
    assert add(adapters) == "v1"
    assert [path.name for path in adapters.dir.iterdir()] == ["v1"]


def test_a_full_disk_is_an_error_that_says_what_to_do(adapters: Adapters) -> None:
    with (
        pytest.raises(TuteeError, match="Make room") as caught,
        adapters.new_version("adapter"),
    ):
        raise OSError(28, "No space left on device")
    assert "v1 could not be saved" in caught.value.title
    assert list(adapters.dir.iterdir()) == []


def test_a_folder_without_a_manifest_is_no_version(adapters: Adapters) -> None:
    (adapters.dir / "v7").mkdir(parents=True)
    assert adapters.versions() == []


def test_versions_are_private(adapters: Adapters) -> None:
    add(adapters)
    assert (adapters.dir / "v1").stat().st_mode & 0o077 == 0
    for path in (adapters.dir / "v1").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_an_unknown_version_is_refused_with_those_there_are(adapters: Adapters) -> None:
    add(adapters)
    with pytest.raises(TuteeError, match="base, v1") as caught:
        adapters.use("v9")
    assert "v9" in caught.value.title
    assert adapters.active() == BASE


def test_an_adapter_of_another_base_is_refused(adapters: Adapters) -> None:
    add(adapters, revision="revision-0")
    with pytest.raises(TuteeError, match="another revision"):
        adapters.use("v1")


def test_a_damaged_manifest_is_named(adapters: Adapters) -> None:
    add(adapters)
    (adapters.dir / "v1" / "manifest.json").write_text("{")
    with pytest.raises(TuteeError, match=r"manifest\.json"):
        adapters.versions()


def test_a_manifest_with_more_or_less_in_it_is_read(adapters: Adapters) -> None:
    """As one of a later or an earlier Tutee."""
    add(adapters)
    path = adapters.dir / "v1" / "manifest.json"
    told = json.loads(path.read_text())
    kept = {name: told[name] for name in ("version", "kind", "model", "revision")}
    path.write_text(json.dumps({**kept, "mood": "cheerful"}))
    manifest = adapters.manifest("v1")
    assert (manifest.parent, manifest.records, manifest.held_back) == (BASE, (), ())


def test_a_damaged_pointer_is_named(adapters: Adapters) -> None:
    add(adapters)
    adapters.use("v1")
    (adapters.dir / "active.json").write_text("")
    with pytest.raises(TuteeError, match=r"active\.json"):
        adapters.active()


def test_a_version_removed_by_hand_is_passed_over(adapters: Adapters) -> None:
    add(adapters)
    add(adapters, parent="v1")
    adapters.use("v1")
    adapters.use("v2")
    for path in (adapters.dir / "v2").iterdir():
        path.unlink()
    (adapters.dir / "v2").rmdir()
    assert adapters.active() == "v1"


def test_a_reward_model_cannot_be_the_one_that_answers(adapters: Adapters) -> None:
    add(adapters, kind="reward")
    with pytest.raises(TuteeError, match="r1 is a reward model"):
        adapters.use("r1")
    assert adapters.active() == BASE


# -- the chat template ---------------------------------------------------------------------------


@pytest.mark.parametrize("there", ["jinja", "config", "named"])
def test_an_adapter_of_another_template_is_refused(adapters: Adapters, there: str) -> None:
    base = adapters.folder.path
    base.mkdir()
    if there == "jinja":
        (base / "chat_template.jinja").write_text("{{ messages }}")
    elif there == "config":
        (base / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    else:
        named = [{"name": "default", "template": "{{ messages }}"}]
        (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    add(adapters, template=sha256(b"{{ messages }}").hexdigest())
    add(adapters, template=sha256(b"{{ other }}").hexdigest())
    add(adapters)  # made before templates were written down
    assert adapters.path("v1") == adapters.dir / "v1"
    assert adapters.path("v3") == adapters.dir / "v3"
    with pytest.raises(TuteeError, match="v2 was trained with another chat template"):
        adapters.path("v2")
    with pytest.raises(TuteeError, match="another chat template"):
        adapters.use("v2")


def test_without_the_base_at_hand_its_template_is_not_compared(adapters: Adapters) -> None:
    add(adapters, template="0" * 64)
    assert adapters.path("v1") == adapters.dir / "v1"


# -- deleting ------------------------------------------------------------------------------------


def test_what_a_deleted_parent_learned_is_still_known(adapters: Adapters) -> None:
    add(adapters, "a")
    add(adapters, "b", parent="v1")
    adapters.use("v2")
    assert adapters.delete("v1") == "v1"
    assert not (adapters.dir / "v1").exists()
    assert [m.version for m in adapters.versions()] == ["v2"]
    assert adapters.learned() == {"a", "b"}
    with pytest.raises(TuteeError, match="no adapter “v1”"):
        adapters.path("v1")


def test_the_name_of_a_deleted_version_is_never_used_again(adapters: Adapters) -> None:
    for kind, expected in (("adapter", "v2"), ("reward", "r2")):
        adapters.delete(add(adapters, kind=kind))  # type: ignore[arg-type]
        assert add(adapters, kind=kind) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["v1", BASE])
def test_the_version_that_answers_is_not_deleted_nor_is_the_base(
    adapters: Adapters, version: str
) -> None:
    add(adapters)
    adapters.use("v1")
    with pytest.raises(TuteeError):
        adapters.delete(version)
    assert adapters.path("v1") == adapters.dir / "v1"


def test_rolling_back_passes_over_a_deleted_version(adapters: Adapters) -> None:
    for _ in range(2):
        add(adapters)
    for version in ("v1", "v2", "v1"):
        adapters.use(version)
    adapters.delete("v2")
    assert adapters.rollback() == BASE


def test_a_deletion_that_was_cut_short_is_finished_later(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(adapters, "a")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *args, **options: None)
        adapters.delete("v1")
    assert adapters.versions() == []
    assert (adapters.dir / ".v1.partial").exists()
    assert add(adapters) == "v2"
    assert {path.name for path in adapters.dir.iterdir()} == {"v2", "deleted"}


def test_a_disk_that_refuses_leaves_the_version(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    add(adapters)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(TuteeError, match="v1 could not be deleted"):
        adapters.delete("v1")
    assert [m.version for m in adapters.versions()] == ["v1"]


# -- labels and notes ----------------------------------------------------------------------------


def test_a_version_is_found_by_its_label(adapters: Adapters) -> None:
    add(adapters, "a")
    add(adapters, "b")
    assert adapters.label("v2", "  polite   one ") == "v2"
    assert adapters.remark("v2").label == "polite one"
    assert adapters.resolve("polite one") == "v2"
    assert adapters.path("polite one") == adapters.dir / "v2"
    assert adapters.use("polite one") == adapters.active() == "v2"
    assert adapters.note("polite one", "for guests\n") == "v2"
    assert adapters.remark("v2").note == "for guests"
    adapters.label("v2", "curt")
    assert adapters.remark("v2").note == "for guests"
    with pytest.raises(TuteeError, match="no adapter “polite one”"):
        adapters.resolve("polite one")


def test_empty_words_take_label_and_note_away(adapters: Adapters) -> None:
    add(adapters)
    adapters.label("v1", "polite")
    adapters.note("v1", "for guests")
    adapters.label("v1", "")
    adapters.note("v1", " ")
    assert adapters.remarks() == {}


def test_a_label_names_one_version_only(adapters: Adapters) -> None:
    add(adapters)
    add(adapters, kind="reward")
    adapters.label("v1", "polite")
    adapters.label("v1", "polite")
    with pytest.raises(TuteeError, match="v1 is called “polite” already"):
        adapters.label("r1", "polite")
    adapters.use(BASE)
    adapters.delete("polite")
    assert adapters.label("r1", "polite") == "r1"


@pytest.mark.parametrize("label", ["base", "v12", "R3", "-x", "a\x1b[2Jb", "x" * 41])
def test_a_label_is_no_version_no_option_and_short(adapters: Adapters, label: str) -> None:
    add(adapters)
    with pytest.raises(TuteeError):
        adapters.label("v1", label)
    assert adapters.remarks() == {}


def test_a_deleted_version_takes_its_words_with_it(adapters: Adapters) -> None:
    add(adapters)
    adapters.note("v1", "secret")
    adapters.delete("v1")
    assert b"secret" not in (adapters.dir / "labels.json").read_bytes()


@pytest.mark.parametrize("act", [Adapters.label, Adapters.note])
def test_the_base_has_neither_label_nor_note(
    adapters: Adapters, act: Callable[[Adapters, str, str], str]
) -> None:
    with pytest.raises(TuteeError, match="as it came"):
        act(adapters, BASE, "x")


def test_damaged_labels_are_named_and_do_not_hide_the_versions(adapters: Adapters) -> None:
    add(adapters)
    adapters.label("v1", "polite")
    (adapters.dir / "labels.json").write_text("[]")
    assert adapters.use("v1") == "v1"
    with pytest.raises(TuteeError, match=r"labels\.json"):
        adapters.remarks()


# -- differences ---------------------------------------------------------------------------------


def test_two_versions_differ_in_what_made_them_and_what_they_learned(adapters: Adapters) -> None:
    add(adapters, "a", settings={"rank": 8, "seed": 0}, libraries={"trl": "1.16"}, data="x")
    metrics = {"seconds": 3.0, "losses": [1.0], "steps": 2}
    add(
        adapters,
        *("b", "c"),
        parent="v1",
        settings={"rank": 16, "seed": 0, "beta": 0.1},
        libraries={"trl": "1.16"},
        data="y",
        metrics=metrics,
    )
    found = adapters.diff("v1", "v2")
    assert (found.a, found.b) == ("v1", "v2")
    assert found.settings == {"rank": (8, 16), "beta": (None, 0.1)}
    assert found.libraries == {}
    assert found.facts == {"parent": (BASE, "v1"), "data": ("x", "y")}
    assert found.metrics == {"seconds": (None, 3.0), "steps": (None, 2)}
    assert (found.only_a, found.only_b, found.both) == ((), ("b", "c"), 1)


def test_a_version_is_compared_with_the_base(adapters: Adapters) -> None:
    add(adapters, "a")
    found = adapters.diff("v1", BASE)
    assert (found.only_a, found.only_b, found.both) == (("a",), (), 0)


def test_a_version_does_not_differ_from_itself(adapters: Adapters) -> None:
    add(adapters, "a", settings={"rank": 8})
    adapters.label("v1", "polite")
    assert adapters.diff("polite", "v1") == Difference("v1", "v1", both=1)
