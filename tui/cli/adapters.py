"""`tutee adapters`: the versions, which one answers, what they are called, what becomes of them.

A version can be named by its label wherever one is named.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from core.adapters.diff import Difference, Pair
from core.adapters.labels import Remark
from core.adapters.manifest import BASE, Manifest
from core.adapters.registry import Adapters
from core.models.folder import named
from core.runs.plan import make_plan
from core.stop_reasons import translated
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.storage import replace_file
from tui.cli.i18n import Group
from tui.cli.invocation import Invocation
from tui.text_format import counted, harmless, one_line, padded, shortened

_IDS_SHOWN = 8


@click.group(cls=Group, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def adapters(context: click.Context, as_json: bool) -> None:
    """List the versions; see the commands for what can be done with them."""
    if not context.invoked_subcommand:
        _list(context.obj, as_json)


@adapters.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_obj
def list_command(invocation: Invocation, as_json: bool) -> None:
    """List the versions, the one that answers marked."""
    _list(invocation, as_json)


@adapters.command()
@click.argument("version")
@click.pass_obj
def use(invocation: Invocation, version: str) -> None:
    """Answer with VERSION (or `base`) from now on."""
    with invocation.home():
        version = invocation.adapters().use(version)
    click.echo(version)


@adapters.command()
@click.pass_obj
def rollback(invocation: Invocation) -> None:
    """Go back to the version that was active before."""
    with invocation.home():
        version = invocation.adapters().rollback()
    click.echo(version)


@adapters.command()
@click.argument("version")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(invocation: Invocation, version: str, yes: bool) -> None:
    """Delete VERSION for good; versions that were trained from it stay as they are."""
    with invocation.home():
        found = invocation.adapters()
        version = found.resolve(version)
        if not yes:
            click.confirm(
                _("Delete {version} for good?").format(version=version), abort=True, err=True
            )
        found.delete(version)
    click.echo(_("{version} deleted.").format(version=version))


@adapters.command()
@click.argument("version")
@click.argument("name", default="")
@click.pass_obj
def label(invocation: Invocation, version: str, name: str) -> None:
    """Call VERSION by NAME too; without NAME its label is taken away."""
    with invocation.home():
        click.echo(invocation.adapters().label(version, name))


@adapters.command()
@click.argument("version")
@click.argument("text", default="")
@click.pass_obj
def note(invocation: Invocation, version: str, text: str) -> None:
    """Keep TEXT as the note on VERSION; without TEXT its note is taken away."""
    with invocation.home():
        click.echo(invocation.adapters().note(version, text))


@adapters.command()
@click.argument("a")
@click.argument("b")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.pass_obj
def diff(invocation: Invocation, a: str, b: str, as_json: bool) -> None:
    """Show what version B has otherwise than version A (either may be `base`)."""
    found = invocation.adapters().diff(a, b)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
    else:
        _show(found)


@adapters.command()
@click.argument("version")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the model to this folder, which must not hold anything.",
)
@click.option(
    "--gguf",
    type=click.Choice(["f16", "q8_0"]),
    help="Beside it as a GGUF file, with a Modelfile for Ollama.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.pass_obj
def merge(
    invocation: Invocation,
    version: str,
    output: Path,
    gguf: Literal["f16", "q8_0"] | None,
    as_json: bool,
) -> None:
    """Write the base with VERSION merged in, as a model that any program can load."""
    found = Adapters(invocation.paths.models, invocation.found_model())
    found.resolve(version)  # said before torch is loaded
    from core.adapters.merge import merge_adapter

    merged = merge_adapter(found, version, output)
    file = _as_gguf(invocation, merged.path, gguf) if gguf else None
    if as_json:
        paths = {"path": str(merged.path), "gguf": str(file) if file else None}
        click.echo(json.dumps({**asdict(merged), **paths}, ensure_ascii=False))
        return
    click.echo(
        _(
            "{version} merged into {model} ({precision}): {folder}\n"
            "Loaded again it gives the same logits (largest difference {difference:.1g})."
        ).format(
            version=merged.version,
            model=found.folder.label,
            precision=merged.precision,
            folder=merged.path,
            difference=merged.difference,
        )
    )
    if file:
        click.echo(
            _("{file}, and a Modelfile: `ollama create NAME -f {folder}/Modelfile`.").format(
                file=file, folder=merged.path
            )
        )


def _as_gguf(invocation: Invocation, merged: Path, precision: Literal["f16", "q8_0"]) -> Path:
    """Write the merged model as a GGUF file, with what Ollama is to be told of it."""
    from core.models import gguf_export

    folder = named(str(merged), invocation.paths.cache)
    file = merged / f"model-{precision}.gguf"
    try:
        gguf_export.write(folder, file, precision)
        text = gguf_export.modelfile(folder, file, invocation.config.chat.system_prompt)
        replace_file(merged / "Modelfile", text.encode("utf-8"))
    except OSError as error:
        raise TuteeError(
            _("{file} could not be written: {why}.").format(file=file, why=error)
        ) from error
    return file


@adapters.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Write the result as one JSON object.")
@click.pass_obj
def add(invocation: Invocation, folder: Path, as_json: bool) -> None:
    """Take the adapter or reward model in DIR, trained elsewhere, as a version.

    An adapter sits the same exam as one that was trained here, and answers from then on if it
    passes. A reward model of a recipe is measured on pairs that were held out.
    """
    with invocation.home() as repository:
        found = Adapters(invocation.paths.models, invocation.found_model())
        plan = make_plan(repository.trainable(), found, invocation.config, frozenset())
        from core.recipes.import_adapter import import_adapter
        from core.training.run_control import RunControl

        done = import_adapter(plan, folder, RunControl())
        if done.activatable:
            found.use(done.version)
    if as_json:
        click.echo(json.dumps(asdict(done), ensure_ascii=False))
        return
    if done.name == "reward":
        click.echo(_worth(done.version, done.metrics))
    elif done.activatable:
        click.echo(
            _("{version} answers from now on; `tutee report {version}` tells more.").format(
                version=done.version
            )
        )
    else:
        reasons = _("; ").join(map(translated, done.held_back))
        click.echo(
            _("{version} is kept, but held back: {reasons}.").format(
                version=done.version, reasons=reasons
            )
        )


# -- what is shown ---------------------------------------------------------------------------------


def _worth(version: str, metrics: Mapping[str, Any]) -> str:
    """What was measured of a reward model that was added, and what follows from it."""
    count = metrics.get("holdout_pairs")
    if not count:
        return _(
            "{version} is kept, but not trusted: no pair was held out that its accuracy could be "
            "measured on."
        ).format(version=version)
    said = _(
        "{version} is kept, but not trusted: it ranks {share:.0%} of {count} held-out pairs "
        "({low:.0%} to {high:.0%}) right, which may be chance."
    )
    if metrics["passed"]:
        said = _(
            "{version} ranks {share:.0%} of {count} held-out pairs ({low:.0%} to {high:.0%}) right,"
            " so it is trusted."
        )
    low, high = metrics["holdout_interval"]
    share = metrics["holdout_accuracy"]
    return said.format(version=version, share=share, count=count, low=low, high=high)


def _list(invocation: Invocation, as_json: bool) -> None:
    found = invocation.adapters()
    active, remarks = found.active(), found.remarks()
    if as_json:
        rows = {
            name: [
                {**manifest.model_dump(mode="json"), **_said(remarks, manifest).model_dump()}
                for manifest in versions
            ]
            for name, versions in (
                ("versions", found.versions()),
                ("rewards", found.versions("reward")),
            )
        }
        click.echo(json.dumps({"active": active, **rows}, ensure_ascii=False))
        return
    untouched = _("{model}, untouched").format(model=found.folder.label)
    click.echo(f"{'●' if active == BASE else ' '} {BASE:<5} {untouched}")
    for manifest in (*found.versions(), *found.versions("reward")):
        mark = "●" if manifest.version == active else " "
        for line in _lines(manifest, _said(remarks, manifest)):
            click.echo(f"{mark} {line}")
            mark = " "


def _said(remarks: Mapping[str, Remark], manifest: Manifest) -> Remark:
    return remarks.get(manifest.version, Remark())


def _lines(manifest: Manifest, remark: Remark) -> Iterable[str]:
    parts = [_("{name} from {parent}").format(name=manifest.pass_name, parent=manifest.parent)]
    if manifest.records:
        parts.append(_learned(len(manifest.records), len(manifest.replayed)))
    if losses := manifest.metrics.get("losses"):
        parts.append(_("loss {first:.2f} → {last:.2f}").format(first=losses[0], last=losses[-1]))
    if (accuracy := manifest.metrics.get("holdout_accuracy")) is not None:
        parts.append(_("{share:.0%} ranked right").format(share=accuracy))
    called = f"“{harmless(remark.label)}”  " if remark.label else ""
    created = f"{manifest.created.astimezone():%Y-%m-%d %H:%M}"
    yield f"{manifest.version:<5} {created}  {called}{_(', ').join(parts)}"
    if manifest.held_back:
        reasons = harmless(_("; ").join(map(translated, manifest.held_back)))
        yield "      " + _("held back: {reasons}").format(reasons=reasons)
    if remark.note:
        yield f"      {harmless(one_line(remark.note))}"


def _learned(new: int, replayed: int) -> str:
    if not replayed:
        return counted(new, "record")
    return ngettext(
        "{count:,} record + {replayed} replayed", "{count:,} records + {replayed} replayed", new
    ).format(count=new, replayed=replayed)


def _show(found: Difference) -> None:
    click.echo(f"{'':<28} {found.a:<24} {found.b}")
    sections: tuple[tuple[str, Mapping[str, Pair]], ...] = (
        (_("made"), found.facts),
        (_("settings"), found.settings),
        (_("libraries"), found.libraries),
        (_("figures"), found.metrics),
    )
    for title, pairs in sections:
        if pairs:
            click.echo(title)
        for name, (first, second) in pairs.items():
            click.echo(f"  {harmless(name):<26} {padded(_value(first), 24)} {_value(second)}")
    click.echo(_("records: {count} learned by both").format(count=found.both))
    for version, ids in ((found.a, found.only_a), (found.b, found.only_b)):
        if ids:
            shown = harmless(" ".join(ids[:_IDS_SHOWN]))
            if len(ids) > _IDS_SHOWN:
                shown = _("{ids} and {count} more").format(ids=shown, count=len(ids) - _IDS_SHOWN)
            only = _("{count} only by {version}: {ids}")
            click.echo("  " + only.format(count=len(ids), version=version, ids=shown))


def _value(value: Any) -> str:
    if value is None or value in ((), ""):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = _("; ").join(map(translated, value)) if isinstance(value, tuple) else str(value)
    return harmless(shortened(text, 24))
