"""`tutee import`: import records and conversations from other programs.

Imported and refused rows are reported on standard output, because they are the result; unusable
files on standard error. One unusable file does not stop the others.
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
from data.row_files import known_encoding
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.records import ImportedConversation, Record
from store.repository import Added, Repository
from tui.cli.i18n import LocalizedCommand
from tui.cli.invocation import Invocation
from tui.terminal.output import redraw_line
from tui.text_format import counted, harmless, shortened
from tui.views.refused_rows import describe_notes, describe_refused


@dataclass(frozen=True)
class _Options:
    name: str | None
    format: str | None
    learn: bool
    dry_run: bool
    encoding: str | None


@click.command(name="import", cls=LocalizedCommand)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="FILE|FOLDER...")
@click.option("--as", "name", metavar="NAME", help="Name of the source; default: the file name.")
@click.option(
    "--format", "format_name", type=click.Choice(NAMES), help="Default: detected row by row."
)
@click.option(
    "--encoding", metavar="NAME", help="Encoding of the text, such as gb18030; default: UTF-8."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be imported.")
@click.option("--learn", is_flag=True, help="Also train on the replies in conversations.")
@click.option("--starter", "with_starter", is_flag=True, help="Import Tutee's own starter set.")
@click.pass_obj
def import_command(
    invocation: Invocation,
    paths: tuple[Path, ...],
    name: str | None,
    format_name: str | None,
    dry_run: bool,
    learn: bool,
    with_starter: bool,
    encoding: str | None,
) -> None:
    """Import records and conversations from other programs.

    FILE is JSON, JSONL, CSV or TSV, optionally compressed with gzip or zip. Duplicates are skipped,
    so importing again adds nothing.
    """
    if bool(paths) == with_starter:
        raise click.UsageError(_("Give either FILE or --starter."))
    if encoding and not known_encoding(encoding):
        raise click.UsageError(_("There is no encoding {name}.").format(name=encoding))
    options = _Options(name, format_name, learn, dry_run, encoding)
    with invocation.home(write=not dry_run) as repository:
        home = _DryRun(repository) if dry_run else repository
        if with_starter:
            records = starter.instructions()
            _report_added(records, (), home.add_imported(records), dry_run)
            return
        useful = [_import(home, path, options) for path in paths]
    if not all(useful):
        raise click.exceptions.Exit(1)


class _DryRun:
    """Counts what a repository would add, without storing it."""

    def __init__(self, repository: Repository) -> None:
        self._known = Deduplicator(repository.records(), repository.ids())

    def add_imported(
        self, records: Iterable[Record], chats: Iterable[ImportedConversation] = ()
    ) -> Added:
        chats = [*chats]
        fresh = sum(not self._known.holds(chat.conversation.id) for chat in chats)
        grown = self._known.new_conversations(chats)
        messages = sum(len(chat.messages) for chat in grown)
        return Added(self._known.new_records(records), fresh, messages)


def _import(home: Repository | _DryRun, path: Path, options: _Options) -> bool:
    """Import a file or all files of a folder, and return whether any was usable."""
    try:
        files = find_files(path)
    except TuteeError as error:
        _report_error(error)
        return False
    useful = [_import_file(home, file, options) for file in files]
    return any(useful)


def _import_file(home: Repository | _DryRun, file: Path, options: _Options) -> bool:
    _show_activity(_("Reading {file}…").format(file=file.name))
    try:
        found = read_file(
            file,
            name=options.name,
            format=options.format,
            learn=options.learn,
            encoding=options.encoding,
        )
    except TuteeError as error:
        _report_error(error)
        return False
    finally:
        _show_activity("")
    rows = ngettext(
        "{file}: {format}, {count:,} row", "{file}: {format}, {count:,} rows", found.rows
    )
    formats = found.format or _("nothing usable")
    click.echo(_line(rows.format(file=file, format=formats, count=found.rows)))
    if found.useful:
        _show_activity(_("Saving {records}…").format(records=counted(len(found.records), "record")))
        try:
            added = home.add_imported(found.records, found.conversations)
        finally:
            _show_activity("")
        _report_added(found.records, found.conversations, added, options.dry_run)
    for note in describe_notes(found):
        click.echo(f"  {note}")
    _report_refused(found)
    return found.useful


def _report_added(
    records: Iterable[Record], chats: Iterable[ImportedConversation], added: Added, dry_run: bool
) -> None:
    kinds = Counter(record.kind for record in added.records)
    parts = _(", ").join(counted(number, kind) for kind, number in sorted(kinds.items()))
    imported = _("{what} would be imported") if dry_run else _("{what} imported")
    records_line = imported.format(what=counted(len(added.records), "record"))
    if parts:
        records_line = _("{records}: {kinds}").format(records=records_line, kinds=parts)
    click.echo(f"  {records_line}")
    if added.conversations or added.messages:
        conversations = ngettext(
            "{count:,} conversation", "{count:,} conversations", added.conversations
        )
        messages = ngettext("{count:,} message", "{count:,} messages", added.messages)
        line = _("{conversations} ({messages})").format(
            conversations=imported.format(what=conversations.format(count=added.conversations)),
            messages=messages.format(count=added.messages),
        )
        click.echo(f"  {line}")
    known = len([*records]) - len(added.records) + len([*chats]) - added.conversations
    if known:
        click.echo("  " + _("{count} already present").format(count=known))


def _report_refused(found: Imported) -> None:
    for line in describe_refused(found.refused):
        click.echo(f"  {_line(line)}")
    if not found.useful:
        _report_error(TuteeError(_("Nothing in {path} can be used.").format(path=found.path)))


def _report_error(error: TuteeError) -> None:
    click.echo(_line(f"tutee: {error}"), err=True)


def _show_activity(what: str) -> None:
    if sys.stderr.isatty():
        redraw_line(shortened(_line(what), 70))


def _line(text: str) -> str:
    """Make one line without control characters: reasons quote the file."""
    return harmless(text.replace("\n", " "))
