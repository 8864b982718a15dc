"""One TinyDB file whose documents are typed and keyed by their own ids.

Everything is read once, at the opening, and checked against its model; afterwards TinyDB is only
told of changes. Keyed by id, a change needs no search.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError
from tinydb import TinyDB
from tinydb.table import Document, Table

from store.migrations import check, stamped
from store.storage import AtomicStorage, damaged


class _Kept(Protocol):
    """What can be kept: a model with an id."""

    @property
    def id(self) -> str: ...

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


_Model = TypeVar("_Model")


class _Table(Table):
    document_id_class = str  # type: ignore[assignment]


class _TinyDB(TinyDB):
    table_class = _Table


class Database:
    """A file of tables.

    Raises:
        TuteeError: the file is damaged, unreadable, or written by a newer Tutee.
    """

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        self._storage = AtomicStorage(path, initial=stamped(), writable=write)
        check(self._storage.read(), path)
        self._db = _TinyDB(storage=lambda: self._storage)

    def load(self, table: str, adapter: TypeAdapter[_Model]) -> dict[str, _Model]:
        """All documents of a table by id, in the order they were put in."""
        try:
            return {
                str(document.doc_id): adapter.validate_python(document)
                for document in self._db.table(table)
            }
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise damaged(self.path, f"in {table}, at {where}: {first['msg']}") from error

    def transaction(self) -> AbstractContextManager[None]:
        """Make the changes inside one write."""
        return self._storage.transaction()

    def insert(self, table: str, items: Iterable[_Kept]) -> None:
        self._db.table(table).insert_multiple(map(_document, items))

    def update(self, table: str, items: Iterable[_Kept]) -> None:
        """Put each item in the place of the one with its id, or add it where there is none."""
        for item in items:
            self._db.table(table).upsert(_document(item))

    def remove(self, table: str, items: Iterable[_Kept]) -> None:
        ids: Any = [item.id for item in items]
        self._db.table(table).remove(doc_ids=ids)


def _document(item: _Kept) -> Document:
    doc_id: Any = item.id
    return Document(item.model_dump(mode="json"), doc_id=doc_id)
