"""`tutee models`: which base models there are, on this machine and to fetch."""

import json
from dataclasses import asdict
from typing import Any

import click

from core.adapters.registry import Adapters
from core.hub import download
from core.models import catalog
from core.models.catalog import Known
from core.models.folder import has_template, named
from core.models.loading import notice
from store.i18n import N_, _, ngettext
from tui.cli.i18n import Group
from tui.cli.invocation import Invocation
from tui.text_format import harmless, padded
from tui.views.transfer_rate import format_size

_NAMES = (
    N_("model"),
    N_("name"),
    N_("parameters"),
    N_("languages"),
    N_("licence"),
    N_("fetch"),
    N_("memory"),
    N_("state"),
    N_("path"),
    N_("revision"),
    N_("commit"),
    N_("architecture"),
    N_("context"),
    N_("template"),
    N_("fetched"),
    N_("versions"),
)
"""Of what `info` tells, for the catalog."""
_SPEC_CELLS = 39
_MARKS = {"here": "✓", "partly": "◐", "absent": " "}


@click.group(cls=Group, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the base models; see the commands for what can be done with them."""
    if not context.invoked_subcommand:
        _list(context.obj, as_json)


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_obj
def list_command(invocation: Invocation, as_json: bool) -> None:
    """List a few models to begin with, and all on this machine."""
    _list(invocation, as_json)


@models.command()
@click.argument("model")
@click.pass_obj
def fetch(invocation: Invocation, model: str) -> None:
    """Fetch MODEL (`hf:owner/name`, `modelscope:owner/name`), or convert a GGUF file.

    What an interrupted fetch has brought is kept: the next one goes on where it was.
    """
    folder = invocation.fetched(model)
    if said := notice(folder):
        click.echo(f"tutee: {said}", err=True)
    click.echo(folder.path)


@models.command()
@click.argument("model")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(invocation: Invocation, model: str, yes: bool) -> None:
    """Take MODEL off this machine; what was trained on it stays, and needs it to be used.

    What was made of a GGUF file goes by the path of that file, or of its folder on the list.
    """
    if not yes:
        click.confirm(
            _("Remove {model} from this machine?").format(model=model), abort=True, err=True
        )
    freed = catalog.remove(model, invocation.paths.cache)
    click.echo(_("{model} removed; {size} freed.").format(model=model, size=format_size(freed)))


@models.command()
@click.argument("model", default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.pass_obj
def info(invocation: Invocation, model: str, as_json: bool) -> None:
    """Say what is known of MODEL, or else of the one in use."""
    told = _facts(invocation, model or invocation.config.chat.model)
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for name, value in told.items():
        if value not in ("", None):
            click.echo(f"{padded(_(name), 12)} {harmless(str(value))}")


# -- what is shown ---------------------------------------------------------------------------------


def _list(invocation: Invocation, as_json: bool) -> None:
    used = invocation.config.chat.model
    found = catalog.known(invocation.paths.cache)
    if as_json:
        rows = [_row(one, used) for one in found]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    heads = (padded(_("size"), -5), padded(_("fetch"), -7), padded(_("memory"), -7))
    click.echo(f"   {padded(_('model'), _SPEC_CELLS)} {' '.join(heads)}  {_('languages, licence')}")
    for one in found:
        click.echo(_line(one, used))
    if all(one.spec != used for one in found):
        click.echo(f"●  {harmless(used)}")
    click.echo(_("\n● in use · ✓ on this machine · ◐ partly fetched. Any other: its id."), err=True)


def _row(one: Known, used: str) -> dict[str, Any]:
    path = str(one.path) if one.path and one.state != "absent" else None
    offer = asdict(one.offer) if one.offer else {}
    memory = catalog.memory(one.offer.parameters) if one.offer else None
    return {
        **offer,
        "spec": one.spec,
        "state": one.state,
        "in_use": one.spec == used,
        "path": path,
        "bytes": one.size,
        "memory": memory,
    }


def _line(one: Known, used: str) -> str:
    mark = ("●" if one.spec == used else " ") + _MARKS[one.state]
    if one.offer is None:
        return f"{mark} {one.spec:<{_SPEC_CELLS}} {'':>5} {format_size(one.size):>7}"
    offer = one.offer
    parameters = f"{offer.parameters / 1e9:.1f}B"
    if offer.parameters < 10**9:
        parameters = f"{offer.parameters / 1e6:.0f}M"
    memory = format_size(catalog.memory(offer.parameters))
    about = _(", ").join((_(offer.languages), offer.licence))
    spec = f"{one.spec:<{_SPEC_CELLS}}"
    return f"{mark} {spec} {parameters:>5} {format_size(offer.download):>7} {memory:>7}  {about}"


def _facts(invocation: Invocation, spec: str) -> dict[str, Any]:
    """What is known of a model on this machine, or at least on the list."""
    cache = invocation.paths.cache
    one = next((one for one in catalog.known(cache) if one.spec == spec), None)
    offer = one.offer if one else None
    told: dict[str, Any] = {"model": spec}
    if offer:
        told |= {
            "name": offer.name,
            "parameters": f"{offer.parameters:,}",
            "languages": _(offer.languages),
            "licence": offer.licence,
            "fetch": format_size(offer.download),
            "memory": _("{size} on a processor").format(
                size=format_size(catalog.memory(offer.parameters))
            ),
        }
    if one and one.state != "here":
        return {**told, "state": _("partly fetched") if one.state == "partly" else _("not fetched")}
    folder = named(spec, cache)
    config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    text = config.get("text_config", config)
    adapters = Adapters(invocation.paths.models, folder)
    origin = download.origin(folder.path)
    return {
        **told,
        "path": str(folder.path),
        "id": folder.id,
        "revision": folder.revision,
        "architecture": ", ".join(config.get("architectures") or ()),
        "context": text.get("max_position_embeddings"),
        "template": _("its own") if has_template(folder) else _("a plain one of Tutee's"),
        "commit": origin.get("commit"),
        "fetched": origin.get("fetched"),
        "versions": _versions(len(adapters.versions()), len(adapters.versions("reward"))),
    }


def _versions(adapters: int, rewards: int) -> str:
    said = ngettext("{count:,} adapter", "{count:,} adapters", adapters).format(count=adapters)
    scoring = ngettext("{count:,} reward model", "{count:,} reward models", rewards)
    return _(", ").join((said, scoring.format(count=rewards)))
