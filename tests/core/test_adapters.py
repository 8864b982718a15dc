"""Versions are whole or absent, and what was learned follows the active one's ancestors."""

import os
from pathlib import Path

import pytest

from core.adapters import BASE, Adapters, Manifest, write_manifest
from core.models import ModelFolder
from store.errors import TuteeError


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    folder = ModelFolder(tmp_path / "base", "base-00000000", "base", "revision-1")
    return Adapters(tmp_path / "models", folder)


def add(adapters: Adapters, *records: str, parent: str = BASE, revision: str = "revision-1") -> str:
    with adapters.new_version("adapter") as (version, directory):
        (directory / "adapter_model.safetensors").write_bytes(b"weights")
        manifest = Manifest(
            version=version,
            kind="adapter",
            model=adapters.folder.id,
            revision=revision,
            parent=parent,
            records=records,
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
