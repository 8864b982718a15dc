"""`tutee chats`: list, search, print, rename, pin and delete chats.

A chat is named by its id or an unambiguous prefix of it.
"""

from pathlib import Path

import click

from store.i18n import _, ngettext
from store.repository import Repository
from tui.cli.i18n import LocalizedGroup
from tui.cli.invocation import Invocation, json_option
from tui.cli.json_output import echo_json
from tui.controllers.conversations import ConversationLibrary


def _chats(invocation: Invocation, repository: Repository) -> ConversationLibrary:
    return ConversationLibrary(repository, invocation.paths.exports)


@click.group(cls=LocalizedGroup, invoke_without_command=True)
@json_option
@click.pass_context
def chats(context: click.Context, as_json: bool) -> None:
    """Manage chats.

    Without a command, list them: pinned ones first, then the newest.
    """
    if not context.invoked_subcommand:
        _list(context.obj, "", as_json)


@chats.command()
@click.argument("words", nargs=-1, required=True)
@json_option
@click.pass_obj
def search(invocation: Invocation, words: tuple[str, ...], as_json: bool) -> None:
    """List chats whose title or messages contain WORDS."""
    _list(invocation, " ".join(words), as_json)


def _list(invocation: Invocation, query: str, as_json: bool) -> None:
    with invocation.home(write=False) as repository:
        found = _chats(invocation, repository).listed(query)
    if as_json:
        fields = ("id", "title", "updated", "pinned", "excerpt")
        echo_json([{name: getattr(row, name) for name in fields} for row in found])
        return
    for view in found:
        pin = "* " if view.pinned else ""
        excerpt = f"  {view.excerpt}" if view.excerpt else ""
        click.echo(f"{view.id}  {view.updated}  {pin}{view.title}{excerpt}")
    if not found:
        text = _("No chat contains these words.") if query else _("There are no chats yet.")
        click.echo(text, err=True)


@chats.command()
@click.argument("chat")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write to this file or folder instead of printing.",
)
@click.pass_obj
def show(invocation: Invocation, chat: str, output: Path | None) -> None:
    """Print a chat as Markdown, with corrections in place."""
    with invocation.home(write=False) as repository:
        known = _chats(invocation, repository)
        found = known.find(chat)
        if output is None:
            click.echo(known.text(found.id), nl=False)
        else:
            click.echo(known.save(found.id, str(output)))


@chats.command()
@click.argument("chat")
@click.argument("title")
@click.pass_obj
def rename(invocation: Invocation, chat: str, title: str) -> None:
    """Rename a chat; an empty TITLE restores its first question."""
    with invocation.home() as repository:
        known = _chats(invocation, repository)
        click.echo(known.rename(known.find(chat).id, title))


@chats.command()
@click.argument("chat")
@click.pass_obj
def pin(invocation: Invocation, chat: str) -> None:
    """Pin a chat to the top of the list, or unpin it."""
    with invocation.home() as repository:
        known = _chats(invocation, repository)
        click.echo(_("pinned") if known.pin(known.find(chat).id) else _("not pinned"))


@chats.command()
@click.argument("chat", nargs=-1, required=True)
@click.pass_obj
def delete(invocation: Invocation, chat: tuple[str, ...]) -> None:
    """Delete chats permanently.

    Records made from their feedback are kept, and backups keep the chats for a few days.
    """
    with invocation.home() as repository:
        known = _chats(invocation, repository)
        for found in {known.find(each).id for each in chat}:
            known.delete(found)
    text = ngettext("Deleted {count:,} chat.", "Deleted {count:,} chats.", len(chat))
    click.echo(text.format(count=len(chat)))
