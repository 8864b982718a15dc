"""Documents in a folder of small files, so that a change costs the same however many there are.

Each file (a *segment*) is a TinyDB file, and what changes together is one document in it, so each
user action is one atomic write of one small file. New documents go into the newest segment until it
is large enough. All documents are held in memory as typed models, validated once on opening;
TinyDB's own tables are read again for each change and then dropped.

Left out on purpose: merging segments that deletions have made small. Segments are never removed, so
that a missing one can be noticed.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from tinydb import TinyDB
from tinydb.table import Document, Table

from store.backups import Backups
from store.error_messages import validation_message
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.storage import AtomicStorage, Damaged, clear_leftovers, content_of, unwritable

LIMIT = 256 * 1024
"""A segment of this many bytes takes no new documents."""

_NAME = re.compile(r"([0-9]{4,})\.json")

_TABLE = "documents"

_Model = TypeVar("_Model", bound=BaseModel)


class _Table(Table):
    document_id_class = str  # type: ignore[assignment]


class _TinyDB(TinyDB):
    table_class = _Table


class _Segment(NamedTuple, Generic[_Model]):
    documents: dict[str, _Model]
    size: int


class Segments(Generic[_Model]):
    """One folder of segments.

    Args:
        name: The folder, inside the records folder.
        backups: Where earlier states are kept, and come from if a segment is damaged; also says
            whether changes are allowed.
        changed: Called with the state before and after of each document: when it is loaded (nothing
            before), and when a change to it has reached the disk.

    Raises:
        TuteeError: A file cannot be read.
    """

    def __init__(
        self,
        name: str,
        model: type[_Model],
        backups: Backups,
        changed: Callable[[_Model | None, _Model | None], None],
    ) -> None:
        self._folder = backups.records / name
        self._tables: TypeAdapter[dict[str, dict[str, _Model]]] = TypeAdapter(
            dict[str, dict[str, model]]  # type: ignore[valid-type]
        )
        self._backups = backups
        self._changed = changed
        self.documents: dict[str, _Model] = {}
        """All documents by id."""
        self._segment_of: dict[str, int] = {}
        """The segment of each document; a document that was removed returns to its own."""
        self._sizes: dict[int, int] = {}
        self._load()

    def _load(self) -> None:
        if self._backups.write:
            clear_leftovers(self._folder)
        names = map(_NAME.fullmatch, self._backups.known(self._folder))
        for number in sorted(int(name[1]) for name in names if name):
            segment = self._backups.read(self._path(number), self._parse, describe=_entries)
            self._sizes[number] = segment.size if segment else 0
            for doc_id, document in (segment.documents if segment else {}).items():
                self._take(number, doc_id, document)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04}.json"

    def _parse(self, path: Path) -> _Segment[_Model]:
        """Read a segment straight from JSON into models; bypassing TinyDB halves the time."""
        content = content_of(path)
        try:
            tables = self._tables.validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            problem = validation_message(first)
            where = ".".join(str(part) for part in first["loc"])
            raise Damaged(
                path,
                _("at {where}: {matter}").format(where=where, matter=problem) if where else problem,
            ) from error
        unknown = tables.keys() - {_TABLE}
        if unknown:
            raise Damaged(
                path, _("it has unknown tables: {unknown}").format(unknown=", ".join(unknown))
            )
        return _Segment(tables.get(_TABLE, {}), len(content))

    def _take(self, number: int, doc_id: str, document: _Model | None) -> None:
        before = self.documents.pop(doc_id, None)
        if document is not None:
            self.documents[doc_id] = document
        self._segment_of[doc_id] = number
        self._changed(before, document)

    def held(self, doc_id: str) -> bool:
        """Return whether the document is here, or was before it was removed."""
        return doc_id in self._segment_of

    def put(self, changes: Mapping[str, _Model | None]) -> None:
        """Store documents under their ids; None removes one.

        Changing one document is one atomic write. For several, each segment is one write: if one
        fails, the earlier ones stay, in memory as on disk.

        Raises:
            TuteeError: A segment cannot be written.
        """
        if changes and not self._backups.write:
            raise TuteeError(_("This home was opened for reading only."))
        self._backups.check()
        parts: dict[int, dict[str, _Model | None]] = {}
        sizes = dict(self._sizes)
        for doc_id, document in changes.items():
            number = self._segment_of.get(doc_id)
            if number is None:
                number = max(sizes, default=1)
                if sizes.get(number, 0) >= LIMIT:
                    number += 1
                sizes[number] = sizes.get(number, 0) + _size(document)
            parts.setdefault(number, {})[doc_id] = document
        for number, part in parts.items():
            self._write(number, part)

    def _write(self, number: int, part: Mapping[str, _Model | None]) -> None:
        path = self._path(number)
        if number in self._sizes and not path.exists():
            raise Damaged(path, _("it is missing"))
        try:
            # Only this folder: a home that was moved away must not come back empty.
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o700)
        except OSError as error:
            raise unwritable(path, error) from error
        storage = AtomicStorage(path, backup=self._backups.previous(path))
        with storage.transaction():
            table = _TinyDB(storage=lambda: storage).table(_TABLE)
            table.remove(doc_ids=[_id(key) for key in part if table.contains(doc_id=_id(key))])
            table.insert_multiple(
                Document(document.model_dump(mode="json"), doc_id=_id(key))
                for key, document in part.items()
                if document is not None
            )
        self._sizes[number] = storage.size
        for doc_id, document in part.items():
            self._take(number, doc_id, document)


def _entries(segment: _Segment[_Model]) -> str:
    count = len(segment.documents)
    return ngettext(" ({count} entry)", " ({count} entries)", count).format(count=count)


def _size(document: BaseModel | None) -> int:
    return len(document.model_dump_json().encode()) if document else 0


def _id(text: str) -> Any:
    """TinyDB's type hints say ids are integers; `_Table` makes them strings."""
    return text
