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
from data.deduplication import Deduplicator
from data.format_detection import NAMES
from data.imports import Imported, find_files, read_file
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.records import ImportedConversation, Record
from store.repository import Added, Repository
from tui.cli.i18n import Command
from tui.cli.invocation import Invocation
from tui.text_format import counted, harmless, shortened
from tui.views.refused_rows import describe_refused


@dataclass(frozen=True)
class _Options:
    name: str | None
    format: str | None
    learn: bool
    dry_run: bool


@click.command(name="import", cls=Command)
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
        raise click.UsageError(_("Give a FILE, or --starter alone."))
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
        self._known = Deduplicator(repository.records(), repository.ids())

    def add_imported(
        self, records: Iterable[Record], chats: Iterable[ImportedConversation] = ()
    ) -> Added:
        """What would be new."""
        chats = [*chats]
        fresh = sum(not self._known.holds(chat.conversation.id) for chat in chats)
        grown = self._known.new_conversations(chats)
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
    _tell_doing(_("Reading {file}…").format(file=file.name))
    try:
        found = read_file(file, name=options.name, format=options.format, learn=options.learn)
    except TuteeError as error:
        _tell_error(error)
        return False
    finally:
        _tell_doing("")
    rows = ngettext(
        "{file}: {format}, {count:,} row", "{file}: {format}, {count:,} rows", found.rows
    )
    formats = found.format or _("nothing usable")
    click.echo(_line(rows.format(file=file, format=formats, count=found.rows)))
    if found.useful:
        _tell_doing(_("Keeping {records}…").format(records=counted(len(found.records), "record")))
        try:
            added = home.add_imported(found.records, found.conversations)
        finally:
            _tell_doing("")
        _tell_taken(found.records, found.conversations, added, options.dry_run)
    _tell_refused(found)
    return found.useful


def _tell_taken(
    records: Iterable[Record], chats: Iterable[ImportedConversation], added: Added, dry_run: bool
) -> None:
    kinds = Counter(record.kind for record in added.records)
    parts = _(", ").join(counted(number, kind) for kind, number in sorted(kinds.items()))
    taken = _("{what} would be taken") if dry_run else _("{what} taken")
    told_records = taken.format(what=counted(len(added.records), "record"))
    if parts:
        told_records = _("{records}: {kinds}").format(records=told_records, kinds=parts)
    click.echo(f"  {told_records}")
    if added.conversations or added.messages:
        talks = ngettext("{count:,} conversation", "{count:,} conversations", added.conversations)
        messages = ngettext("{count:,} message", "{count:,} messages", added.messages)
        told_talks = _("{conversations} ({messages})").format(
            conversations=taken.format(what=talks.format(count=added.conversations)),
            messages=messages.format(count=added.messages),
        )
        click.echo(f"  {told_talks}")
    known = len([*records]) - len(added.records) + len([*chats]) - added.conversations
    if known:
        click.echo("  " + _("{count} were there already").format(count=known))


def _tell_refused(found: Imported) -> None:
    for line in describe_refused(found.refused):
        click.echo(f"  {_line(line)}")
    if not found.useful:
        _tell_error(TuteeError(_("Nothing in {path} can be used.").format(path=found.path)))


def _tell_error(error: TuteeError) -> None:
    click.echo(_line(f"tutee: {error}"), err=True)


def _tell_doing(what: str) -> None:
    """What goes on, in a line on a terminal of which the next one takes the place."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{shortened(_line(what), 70)}", err=True, nl=False)


def _line(text: str) -> str:
    """One line that cannot steer a terminal: reasons quote what stands in the file."""
    return harmless(text.replace("\n", " "))
