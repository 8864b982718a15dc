"""`tutee models`: list, download, describe and remove base models."""

import json
from dataclasses import asdict
from typing import Any

import click

from core.adapters.registry import Adapters
from core.hub import download
from core.models import catalog
from core.models.catalog import Known
from core.models.folder import has_template, named
from store.i18n import N_, _, ngettext
from tui.cli.i18n import LocalizedGroup
from tui.cli.invocation import Invocation, echo_notice, json_option, yes_option
from tui.cli.json_output import echo_json
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
"""Names printed by `info`, listed for the catalog."""
_SPEC_CELLS = 39
_MARKS = {"here": "✓", "partly": "◐", "absent": " "}


@click.group(cls=LocalizedGroup, invoke_without_command=True)
@json_option
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """Manage base models.

    Without a command, list them.
    """
    if not context.invoked_subcommand:
        _list(context.obj, as_json)


@models.command(name="list")
@json_option
@click.pass_obj
def list_command(invocation: Invocation, as_json: bool) -> None:
    """List suggested models and those on this machine."""
    _list(invocation, as_json)


@models.command()
@click.argument("model")
@click.pass_obj
def fetch(invocation: Invocation, model: str) -> None:
    """Download MODEL, or convert a GGUF file.

    MODEL is `hf:owner/name`, `modelscope:owner/name` or the path of a GGUF file. An interrupted
    download is resumed.
    """
    folder = invocation.fetched(model)
    echo_notice(folder)
    click.echo(folder.path)


@models.command()
@click.argument("model")
@yes_option
@click.pass_obj
def remove(invocation: Invocation, model: str, yes: bool) -> None:
    """Remove MODEL from this machine.

    Adapters trained on it are kept, but cannot be used without it. Name a converted GGUF model by
    the path of its file, or of its folder in the list.
    """
    if not yes:
        click.confirm(
            _("Remove {model} from this machine?").format(model=model), abort=True, err=True
        )
    freed = catalog.remove(model, invocation.paths.cache)
    click.echo(_("Removed {model} and freed {size}.").format(model=model, size=format_size(freed)))


@models.command()
@click.argument("model", default="")
@json_option
@click.pass_obj
def info(invocation: Invocation, model: str, as_json: bool) -> None:
    """Show details of MODEL, or of the model in use."""
    facts = _facts(invocation, model or invocation.config.chat.model)
    if as_json:
        echo_json(facts)
        return
    for name, value in facts.items():
        if value not in ("", None):
            click.echo(f"{padded(_(name), 12)} {harmless(str(value))}")


# -- output ----------------------------------------------------------------------------------------


def _list(invocation: Invocation, as_json: bool) -> None:
    used = invocation.config.chat.model
    found = catalog.known(invocation.paths.cache)
    if as_json:
        echo_json([_row(one, used) for one in found])
        return
    heads = (padded(_("size"), -5), padded(_("fetch"), -7), padded(_("memory"), -7))
    click.echo(f"   {padded(_('model'), _SPEC_CELLS)} {' '.join(heads)}  {_('languages, licence')}")
    for one in found:
        click.echo(_line(one, used))
    if all(one.spec != used for one in found):
        click.echo(f"●  {harmless(used)}")
    click.echo(
        _("\n● in use · ✓ on this machine · ◐ partly downloaded. Any other model: give its id."),
        err=True,
    )


def _row(one: Known, used: str) -> dict[str, Any]:
    path = str(one.path) if one.path and one.state != "absent" else None
    offer = asdict(one.offer) if one.offer else {}
    return {
        **offer,
        "spec": one.spec,
        "state": one.state,
        "in_use": one.spec == used,
        "path": path,
        "bytes": one.size,
        "memory": catalog.memory(one.offer.parameters) if one.offer else None,
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
    cache = invocation.paths.cache
    one = next((one for one in catalog.known(cache) if one.spec == spec), None)
    offer = one.offer if one else None
    facts: dict[str, Any] = {"model": spec}
    if offer:
        facts |= {
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
        return {
            **facts,
            "state": _("partly fetched") if one.state == "partly" else _("not fetched"),
        }
    folder = named(spec, cache)
    config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    text = config.get("text_config", config)
    adapters = Adapters(invocation.paths.models, folder)
    origin = download.origin(folder.path)
    return {
        **facts,
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
    first = ngettext("{count:,} adapter", "{count:,} adapters", adapters).format(count=adapters)
    second = ngettext("{count:,} reward model", "{count:,} reward models", rewards)
    return _(", ").join((first, second.format(count=rewards)))
