"""`tutee chats`: which chats there are, and what can be done with one of them.

A chat is named by its id or by the beginning of it.
"""

import json
from dataclasses import asdict
from pathlib import Path

import click

from store.i18n import _, ngettext
from store.repository import Repository
from tui.cli.i18n import Group
from tui.cli.invocation import Invocation
from tui.controllers.conversations import ConversationLibrary

_JSON = click.option("--json", "as_json", is_flag=True, help="A JSON array instead of lines.")


def _chats(invocation: Invocation, repository: Repository) -> ConversationLibrary:
    return ConversationLibrary(repository, invocation.paths.exports)


@click.group(cls=Group, invoke_without_command=True)
@_JSON
@click.pass_context
def chats(context: click.Context, as_json: bool) -> None:
    """List the chats, pinned ones first, then the newest; see the commands for more."""
    if not context.invoked_subcommand:
        _list(context.obj, "", as_json)


@chats.command()
@click.argument("words", nargs=-1, required=True)
@_JSON
@click.pass_obj
def search(invocation: Invocation, words: tuple[str, ...], as_json: bool) -> None:
    """List the chats that hold WORDS in their title or in anything said."""
    _list(invocation, " ".join(words), as_json)


def _list(invocation: Invocation, query: str, as_json: bool) -> None:
    with invocation.home(write=False) as repository:
        found = _chats(invocation, repository).listed(query)
    if as_json:
        click.echo(json.dumps([asdict(view) for view in found], ensure_ascii=False))
        return
    for view in found:
        pin = "* " if view.pinned else ""
        excerpt = f"  {view.excerpt}" if view.excerpt else ""
        click.echo(f"{view.id}  {view.updated}  {pin}{view.title}{excerpt}")
    if not found:
        said = _("No chat holds these words.") if query else _("There are no chats yet.")
        click.echo(said, err=True)


@chats.command()
@click.argument("chat")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A file or folder, instead of printing."
)
@click.pass_obj
def show(invocation: Invocation, chat: str, output: Path | None) -> None:
    """Print a chat as Markdown, corrections in their places."""
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
    """Give a chat a title; an empty one brings that of its first question back."""
    with invocation.home() as repository:
        known = _chats(invocation, repository)
        click.echo(known.rename(known.find(chat).id, title))


@chats.command()
@click.argument("chat")
@click.pass_obj
def pin(invocation: Invocation, chat: str) -> None:
    """Keep a chat at the top of the list, or no longer."""
    with invocation.home() as repository:
        known = _chats(invocation, repository)
        pinned = known.pin(known.find(chat).id)
        click.echo(_("pinned") if pinned else _("not pinned"))


@chats.command()
@click.argument("chat", nargs=-1, required=True)
@click.pass_obj
def delete(invocation: Invocation, chat: tuple[str, ...]) -> None:
    """Delete chats for good; what they taught stays, and the backups keep them for some days."""
    with invocation.home() as repository:
        known = _chats(invocation, repository)
        for found in {known.find(each).id for each in chat}:
            known.delete(found)
    said = ngettext("{count:,} chat deleted", "{count:,} chats deleted", len(chat))
    click.echo(said.format(count=len(chat)))
