"""Versions are whole or absent, and their names are used once."""

import json
import os
from pathlib import Path

import pytest

from core.adapters.manifest import BASE
from core.adapters.registry import Adapters
from store.errors import TuteeError
from tests.versions import add_version


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
    assert add_version(adapters) == "v1"
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
    add_version(adapters)
    assert (adapters.dir / "v1").stat().st_mode & 0o077 == 0
    for path in (adapters.dir / "v1").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def spoil(adapters: Adapters, **values: object) -> None:
    path = adapters.dir / "v1" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    "values",
    [
        {"metrics": [1]},
        {"metrics": {"losses": "x"}},
        {"metrics": {"holdout_accuracy": [1]}},
        {"metrics": {"planned_steps": "64"}},
        {"metrics": {"stage_seconds": None}},
        {"metrics": {"stage_seconds": [1.0]}},
        {"metrics": {"stage_counts": {"after": "x"}}},
        {"version": "../../../etc"},
        {"version": "v7"},
        {"kind": "reward"},
        {"records": 5},
        {"created": "soon"},
    ],
)
def test_a_damaged_manifest_is_named_and_hides_no_other(
    adapters: Adapters, values: dict[str, object]
) -> None:
    add_version(adapters)
    add_version(adapters, "b")
    spoil(adapters, **values)
    assert [manifest.version for manifest in adapters.versions()] == ["v2"]
    (error,) = adapters.damaged()
    assert "manifest.json" in error.title
    assert error.hint
    with pytest.raises(TuteeError, match=r"manifest\.json"):
        adapters.manifest("v1")
    assert add_version(adapters) == "v3", "its name is not used again"
    adapters.delete("v1")
    assert adapters.damaged() == []


def test_a_manifest_with_more_or_less_in_it_is_read(adapters: Adapters) -> None:
    """As one of a later or an earlier Tutee."""
    add_version(adapters)
    path = adapters.dir / "v1" / "manifest.json"
    told = json.loads(path.read_text())
    kept = {name: told[name] for name in ("version", "kind", "model", "revision")}
    path.write_text(json.dumps({**kept, "mood": "cheerful"}))
    manifest = adapters.manifest("v1")
    assert (manifest.parent, manifest.records, manifest.held_back) == (BASE, (), ())


def test_the_name_of_a_deleted_version_is_never_used_again(adapters: Adapters) -> None:
    for kind, expected in (("adapter", "v2"), ("reward", "r2")):
        adapters.delete(add_version(adapters, kind=kind))  # type: ignore[arg-type]
        assert add_version(adapters, kind=kind) == expected  # type: ignore[arg-type]


def test_a_deletion_that_was_cut_short_is_finished_later(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(adapters, "a")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *args, **options: None)
        adapters.delete("v1")
    assert adapters.versions() == []
    assert (adapters.dir / ".v1.partial").exists()
    assert add_version(adapters) == "v2"
    assert {path.name for path in adapters.dir.iterdir()} == {"v2", "deleted"}


def test_a_disk_that_refuses_leaves_the_version(
    adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    add_version(adapters)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(TuteeError, match="v1 could not be deleted"):
        adapters.delete("v1")
    assert [m.version for m in adapters.versions()] == ["v1"]
