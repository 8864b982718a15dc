"""`tutee import`: records and conversations made elsewhere, into the home.

What was taken and every row that was not is told on standard output, as it is what was asked for;
files of no use are told on standard error. The others of a folder, or of several files, go on.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from data import starter
from data.imports import Imported, find_files, read_file
from data.known import Known
from data.reading import NAMES
from store.errors import TuteeError
from store.records import Chat, Record
from store.repository import Added, Repository
from tui.cli.invocation import Invocation
from tui.refusals import told
from tui.text import counted, harmless, shortened


@dataclass(frozen=True)
class _Options:
    name: str | None
    format: str | None
    learn: bool
    dry_run: bool


@click.command(name="import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="FILE|FOLDER...")
@click.option(
    "--as", "name", metavar="NAME", help="Call the source so; else it is the file's name."
)
@click.option(
    "--format", "format_name", type=click.Choice(NAMES), help="Else it is told row by row."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be taken.")
@click.option(
    "--learn", is_flag=True, help="Learn the replies of conversations too, not only keep them."
)
@click.option("--starter", "with_starter", is_flag=True, help="Take Tutee's own starter set.")
@click.pass_obj
def import_command(
    invocation: Invocation,
    paths: tuple[Path, ...],
    name: str | None,
    format_name: str | None,
    dry_run: bool,
    learn: bool,
    with_starter: bool,
) -> None:
    """Take in records and conversations of other programs.

    FILE is JSON, JSONL, CSV or TSV, also packed with gzip or zip. What is known already is left
    out, so that importing again adds nothing.
    """
    if bool(paths) == with_starter:
        raise click.UsageError("Give a FILE, or --starter alone.")
    options = _Options(name, format_name, learn, dry_run)
    with invocation.home(write=not dry_run) as repository:
        home = _Rehearsal(repository) if dry_run else repository
        if with_starter:
            records = starter.instructions()
            _tell_taken(records, (), home.add_imported(records), dry_run)
            return
        useful = [_import(home, path, options) for path in paths]
    if not all(useful):
        raise click.exceptions.Exit(1)


class _Rehearsal:
    """Tells what a home would take, and keeps nothing."""

    def __init__(self, repository: Repository) -> None:
        self._known = Known(repository.records(), repository.ids())

    def add_imported(self, records: Iterable[Record], chats: Iterable[Chat] = ()) -> Added:
        """What would be new."""
        chats = [*chats]
        fresh = sum(not self._known.holds(chat.conversation.id) for chat in chats)
        grown = self._known.new_chats(chats)
        messages = sum(len(chat.messages) for chat in grown)
        return Added(self._known.new_records(records), fresh, messages)


def _import(home: Repository | _Rehearsal, path: Path, options: _Options) -> bool:
    """Import a file, or all of a folder; whether anything could be used."""
    try:
        files = find_files(path)
    except TuteeError as error:
        _tell_error(error)
        return False
    useful = [_import_file(home, file, options) for file in files]
    return any(useful)


def _import_file(home: Repository | _Rehearsal, file: Path, options: _Options) -> bool:
    _tell_doing(f"Reading {file.name}…")
    try:
        found = read_file(file, name=options.name, format=options.format, learn=options.learn)
    except TuteeError as error:
        _tell_error(error)
        return False
    finally:
        _tell_doing("")
    click.echo(_line(f"{file}: {found.format or 'nothing usable'}, {counted(found.rows, 'row')}"))
    if found.useful:
        _tell_doing(f"Keeping {counted(len(found.records), 'record')}…")
        try:
            added = home.add_imported(found.records, found.chats)
        finally:
            _tell_doing("")
        _tell_taken(found.records, found.chats, added, options.dry_run)
    _tell_refused(found)
    return found.useful


def _tell_taken(
    records: Iterable[Record], chats: Iterable[Chat], added: Added, dry_run: bool
) -> None:
    taken = "would be taken" if dry_run else "taken"
    kinds = Counter(record.kind for record in added.records)
    parts = ", ".join(counted(number, kind) for kind, number in sorted(kinds.items()))
    number = counted(len(added.records), "record")
    click.echo(f"  {number} {taken}" + (f": {parts}" if parts else ""))
    if added.chats or added.messages:
        spoken = counted(added.messages, "message")
        click.echo(f"  {counted(added.chats, 'conversation')} {taken} ({spoken})")
    known = len([*records]) - len(added.records) + len([*chats]) - added.chats
    if known:
        click.echo(f"  {known} were there already")


def _tell_refused(found: Imported) -> None:
    for line in told(found.refused):
        click.echo(f"  {_line(line)}")
    if not found.useful:
        _tell_error(TuteeError(f"Nothing in {found.path} can be used."))


def _tell_error(error: TuteeError) -> None:
    click.echo(_line(f"tutee: {error}"), err=True)


def _tell_doing(what: str) -> None:
    """What goes on, in a line on a terminal of which the next one takes the place."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{shortened(_line(what), 70)}", err=True, nl=False)


def _line(text: str) -> str:
    """One line that cannot steer a terminal: reasons quote what stands in the file."""
    return harmless(text.replace("\n", " "))
