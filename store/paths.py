"""Where everything is stored.

With a home (`--home` or `TUTEE_HOME`), everything but the downloaded models is in that one folder,
so that a home can be copied, deleted or kept separate. Without one, the operating system's folders
for settings, data and logs are used. Downloaded models always have their own cache, because homes
share them.

`locate` only computes paths; `ensure` touches the disk.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _

_APP = "tutee"


@dataclass(frozen=True)
class Paths:
    """Every file and folder Tutee uses."""

    home: Path
    config_file: Path
    records: Path
    """Conversations, feedback and imported records."""
    backups: Path
    """Earlier states of the records, and damaged files."""
    lock: Path
    models: Path
    """Adapters and reward models, one folder per base model."""
    exports: Path
    prompts: Path
    """The user's own prompts, a text file each."""
    log_file: Path
    cache: Path
    """Downloaded base models."""


def locate(home: Path | None) -> Paths:
    """Compute all paths without touching the disk."""
    if home is None:
        data = platformdirs.user_data_path(_APP, appauthor=False)
        config = platformdirs.user_config_path(_APP, appauthor=False)
        log = platformdirs.user_log_path(_APP, appauthor=False)
    else:
        data = config = home.expanduser().absolute()
        log = data / "log"
    return Paths(
        home=data,
        config_file=config / "config.toml",
        records=data / "records",
        backups=data / "backups",
        lock=data / "lock",
        models=data / "models",
        exports=data / "exports",
        prompts=data / "prompts",
        log_file=log / "tutee.log",
        cache=_cache(),
    )


def _cache() -> Path:
    chosen = os.environ.get("TUTEE_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path(_APP, appauthor=False)


def ensure(paths: Paths) -> None:
    """Create the folders, accessible to the user only; downloads create the cache themselves.

    Raises:
        TuteeError: A folder cannot be created or written.
    """
    folders = (
        paths.home,
        paths.config_file.parent,
        paths.models,
        paths.exports,
        paths.log_file.parent,
    )
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(folder, error) from error
    try:
        # Permission bits prove nothing: root bypasses them, and a read-only disk may have them set.
        with tempfile.TemporaryFile(dir=paths.home):
            pass
    except OSError as error:
        raise _unusable(paths.home, error) from error


def _unusable(folder: Path, error: OSError) -> TuteeError:
    taken = isinstance(error, FileExistsError)
    why = _("there is a file with that name") if taken else reason(error)
    return TuteeError(
        _("Tutee cannot store anything in {folder}: {why}.").format(folder=folder, why=why),
        _("Choose another folder with --home or TUTEE_HOME, or fix that one."),
    )
