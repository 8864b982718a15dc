"""Where things are, and the folders made for them."""

import errno
import tempfile
from pathlib import Path

import pytest

from store.errors import TuteeError
from store.paths import ensure, locate


def test_a_home_holds_everything_but_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTEE_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "home"
    paths = locate(home)
    assert paths.home == home
    assert paths.config_file == home / "config.toml"
    assert paths.records == home / "records"
    assert paths.backups == home / "backups"
    assert paths.models == home / "models"
    assert paths.exports == home / "exports"
    assert paths.log_file == home / "log" / "tutee.log"
    assert paths.cache == tmp_path / "cache"


def test_a_relative_home_does_not_move_with_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(Path("here")).home == tmp_path / "here"


@pytest.mark.skipif("sys.platform != 'linux'", reason="the variables are those of Linux")
def test_without_a_home_the_folders_of_the_system_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{variable}_HOME", str(tmp_path / variable))
    monkeypatch.delenv("TUTEE_CACHE", raising=False)
    paths = locate(None)
    assert paths.config_file == tmp_path / "CONFIG" / "tutee" / "config.toml"
    assert paths.records == tmp_path / "DATA" / "tutee" / "records"
    assert tmp_path / "STATE" in paths.log_file.parents
    assert paths.cache == tmp_path / "CACHE" / "tutee"


def test_locating_touches_nothing(tmp_path: Path) -> None:
    locate(tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


def test_folders_are_private(tmp_path: Path) -> None:
    paths = locate(tmp_path / "home")
    ensure(paths)
    for folder in (paths.home, paths.models, paths.exports, paths.log_file.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("mine")
    with pytest.raises(TuteeError, match="there is a file with that name") as caught:
        ensure(locate(home))
    assert str(home) in caught.value.title
    assert "--home" in caught.value.hint
    assert home.read_text() == "mine"


def test_a_home_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TuteeError, match="cannot store anything in"):
        ensure(locate(tmp_path / "file" / "home"))


def test_a_read_only_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(TuteeError, match="Read-only file system"):
        ensure(locate(tmp_path / "home"))
