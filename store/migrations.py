"""Bringing the home of an older Tutee up to date, and refusing the home of a newer one.

A step is pure: it takes the documents of a home as plain dicts and returns those of the next
schema. The new records are built in a separate folder, validated, and moved into place as one; only
then are the old files moved to the backups. So a crash at any moment leaves either the old home or
the new one. A new home is created the same way, from nothing; a reader of an old home reads a
temporary converted copy.

Left out on purpose: replacing one folder of segments by another. Schema 1 was three files with
other names, and later schemas only added optional fields, so the new folder has never collided with
an old one.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from store.backups import Backups
from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _
from store.paths import Paths
from store.records import SCHEMA_VERSION, ConversationTree, FeedbackDocument
from store.segments import Segments
from store.storage import (
    AtomicStorage,
    Damaged,
    Tables,
    private_folder,
    replace_file,
    sync_folder,
    unwritable,
)

_MODELS: dict[str, type[BaseModel]] = {
    "conversations": ConversationTree,
    "feedback": FeedbackDocument,
    "imports": FeedbackDocument,
}
"""The folders of the records, and the type of the documents in each."""

_OLD_FILES: dict[str, dict[str, str]] = {
    "conversations.json": {"conversations": "conversations", "messages": "messages"},
    "feedback.json": {"records": "feedback"},
    "imports.json": {"records": "imports"},
}
"""The files of schema 1, and which kind of document each of their tables became."""

_STAMP = json.dumps({"version": SCHEMA_VERSION}).encode()


class Step(NamedTuple):
    version: int
    """The schema it starts from."""
    name: str
    run: Callable[[Tables], Tables]


def _one_document_each(old: Tables) -> Tables:
    """Move messages into their conversations, and records into the document of their reply."""
    threads: dict[str, dict[str, Any]] = {
        conversation_id: {"conversation": conversation, "messages": []}
        for conversation_id, conversation in old.get("conversations", {}).items()
    }
    for message in old.get("messages", {}).values():
        threads[message["conversation_id"]]["messages"].append(message)
    judged: dict[str, dict[str, Any]] = {}
    for record in old.get("feedback", {}).values():
        judged.setdefault(record["message_id"], {"records": []})["records"].append(record)
    imports = {
        record_id: {"records": [record]} for record_id, record in old.get("imports", {}).items()
    }
    return {"conversations": threads, "feedback": judged, "imports": imports}


def _as_they_are(old: Tables) -> Tables:
    """Only optional fields were added; the new number keeps an older Tutee away from the home."""
    return old


STEPS = (
    Step(1, "one document a conversation and a judged reply", _one_document_each),
    Step(2, "branches, chat settings and exclusions", _as_they_are),
    Step(3, "recalled corrections", _as_they_are),
)


def upgraded(version: int, documents: Tables) -> Tables:
    """Return the documents of a home of schema `version`, converted to the current schema."""
    for step in STEPS[version - 1 :]:
        documents = step.run(documents)
    return documents


@contextmanager
def up_to_date(paths: Paths, *, write: bool) -> Iterator[Backups]:
    """Yield the backups of the records folder, after bringing the records to the current schema.

    Raises:
        TuteeError: The home is newer than this program, or cannot be read or written.
    """
    backups = Backups(paths.records, paths.backups, write=write)
    old = [paths.home / name for name in _OLD_FILES]
    if paths.records.exists():
        version = _version(backups)
        if version < SCHEMA_VERSION and write:
            backups.keep(f"schema-{version}")
            replace_file(backups.records / "schema.json", _STAMP)
    elif write:
        _build(paths.records, old, backups.notices)
    elif any(state.exists() for path in old for state in _states(path)):
        with TemporaryDirectory(prefix="tutee-") as scratch:
            copy = Backups(Path(scratch) / "records", Path(scratch) / "backups", write=False)
            _build(copy.records, old, copy.notices)
            yield copy
        return
    if write:
        _retire(old, paths.backups / "schema-1", backups.notices)
    yield backups


def _version(backups: Backups) -> int:
    def version(path: Path) -> int:
        try:
            found = json.loads(path.read_bytes())["version"]
        except OSError as error:
            raise TuteeError(
                _("Cannot read {path}: {why}.").format(path=path, why=reason(error))
            ) from error
        except (ValueError, LookupError, TypeError) as error:
            raise Damaged(path, _("it has no schema version")) from error
        return _readable(found, path)

    stamp = backups.records / "schema.json"
    return backups.read(stamp, version, empty=_STAMP) or SCHEMA_VERSION


def _readable(version: object, path: Path) -> int:
    if not isinstance(version, int) or version < 1:
        raise Damaged(path, _("it has no schema version"))
    if version > SCHEMA_VERSION:
        raise TuteeError(
            _(
                "{path} was written by a newer Tutee (schema {version}, this one reads up "
                "to {known})."
            ).format(path=path, version=version, known=SCHEMA_VERSION),
            _("Update Tutee, or choose another home with --home."),
        )
    return version


def _build(records: Path, old: list[Path], notices: list[str]) -> None:
    """Create the records folder from the old files that exist, completely or not at all."""
    found = [_read_old(path, notices) for path in old]
    partial = records.with_name(f".{records.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        nothing_earlier = Backups(partial, partial / ".backups", write=True)
        for name, model in _MODELS.items():
            (partial / name).mkdir(mode=0o700)
            segments = Segments(name, model, nothing_earlier, lambda before, after: None)
            for documents in found:
                segments.put(documents.get(name, {}))
        replace_file(partial / "schema.json", _STAMP)
        os.replace(partial, records)
        sync_folder(records.parent)
    except OSError as error:
        raise unwritable(records, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _states(path: Path) -> tuple[Path, Path]:
    """A file of schema 1, and the state before its last change."""
    return path, path.with_name(path.name + ".bak")


def _read_old(path: Path, notices: list[str]) -> dict[str, dict[str, BaseModel]]:
    """Return the content of a schema-1 file; if it is damaged or missing, that of its backup."""
    states = [state for state in _states(path) if state.exists()]
    for state in states:
        try:
            documents = _parse_old(state)
        except Damaged as error:
            notices.append(_("{damage} It was moved to the backups.").format(damage=error.title))
            continue
        if state != path:
            notices.append(_("Using the state of {path} before its last change.").format(path=path))
        return documents
    return {}


def _parse_old(path: Path) -> dict[str, dict[str, BaseModel]]:
    tables = AtomicStorage(path).read()
    stamp = tables.get("meta", {}).get("schema", {})
    version = _readable(stamp.get("version"), path)
    names = _OLD_FILES[path.name.removesuffix(".bak")]
    try:
        documents = upgraded(version, {new: tables.get(old, {}) for old, new in names.items()})
        return {
            name: {doc_id: _MODELS[name].model_validate(item) for doc_id, item in table.items()}
            for name, table in documents.items()
        }
    except (ValidationError, LookupError, TypeError) as error:
        raise Damaged(path, _("its documents are inconsistent")) from error


def _retire(old: list[Path], folder: Path, notices: list[str]) -> None:
    """Move the files of schema 1 to the backups; what fails is retried on the next opening."""
    for path in (state for each in old for state in _states(each) if state.exists()):
        with suppress(OSError):
            private_folder(folder)
            target, number = folder / path.name, 1
            while target.exists():
                target, number = folder / f"{path.name}.{number}", number + 1
            os.replace(path, target)
            if number > 1:
                notices.append(
                    _(
                        "An older Tutee wrote {path} after this home was upgraded; the file is "
                        "kept as {target}."
                    ).format(path=path, target=target)
                )
