"""`tutee adapters`: list, activate, label, compare, merge, add and delete adapter versions.

A label is accepted wherever a version is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from core.adapters.diff import Difference, Pair
from core.adapters.labels import Remark
from core.adapters.manifest import BASE, INTERNAL, Manifest
from core.adapters.registry import Adapters
from core.models.folder import named
from core.runs.plan import make_plan
from core.stop_reasons import translated
from core.training.reward_accuracy import why_untrusted
from store.errors import TuteeError
from store.i18n import _, ngettext
from store.local_time import local_minute
from store.storage import replace_file
from tui.cli.i18n import LocalizedGroup
from tui.cli.invocation import Invocation, json_option, yes_option
from tui.cli.json_output import echo_json
from tui.text_format import counted, harmless, one_line, padded, shortened

_IDS_SHOWN = 8


@click.group(cls=LocalizedGroup, invoke_without_command=True)
@json_option
@click.pass_context
def adapters(context: click.Context, as_json: bool) -> None:
    """Manage adapter versions.

    Without a command, list them.
    """
    if not context.invoked_subcommand:
        _list(context.obj, as_json)


@adapters.command(name="list")
@json_option
@click.pass_obj
def list_command(invocation: Invocation, as_json: bool) -> None:
    """List versions and mark the active one."""
    _list(invocation, as_json)


@adapters.command()
@click.argument("version")
@click.pass_obj
def use(invocation: Invocation, version: str) -> None:
    """Activate VERSION (or `base`)."""
    with invocation.home():
        version = invocation.adapters().use(version)
    click.echo(version)


@adapters.command()
@click.pass_obj
def rollback(invocation: Invocation) -> None:
    """Return to the previously active version."""
    with invocation.home():
        version = invocation.adapters().rollback()
    click.echo(version)


@adapters.command()
@click.argument("version")
@yes_option
@click.pass_obj
def delete(invocation: Invocation, version: str, yes: bool) -> None:
    """Delete VERSION permanently; versions trained from it are kept."""
    with invocation.home():
        found = invocation.adapters()
        version = found.resolve(version)
        if not yes:
            click.confirm(
                _("Permanently delete {version}?").format(version=version), abort=True, err=True
            )
        found.delete(version)
    click.echo(_("Deleted {version}.").format(version=version))


@adapters.command()
@click.argument("version")
@click.argument("name", default="")
@click.pass_obj
def label(invocation: Invocation, version: str, name: str) -> None:
    """Label VERSION as NAME; without NAME, remove its label."""
    with invocation.home():
        click.echo(invocation.adapters().label(version, name))


@adapters.command()
@click.argument("version")
@click.argument("text", default="")
@click.pass_obj
def note(invocation: Invocation, version: str, text: str) -> None:
    """Save TEXT as the note on VERSION; without TEXT, remove it."""
    with invocation.home():
        click.echo(invocation.adapters().note(version, text))


@adapters.command()
@click.argument("a")
@click.argument("b")
@json_option
@click.pass_obj
def diff(invocation: Invocation, a: str, b: str, as_json: bool) -> None:
    """Show how version B differs from version A.

    Either may be `base`.
    """
    found = invocation.adapters().diff(a, b)
    if as_json:
        echo_json(asdict(found))
    else:
        _print_difference(found)


@adapters.command()
@click.argument("version")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the model to this folder; it must be empty.",
)
@click.option(
    "--gguf",
    type=click.Choice(["f16", "q8_0"]),
    help="Also write a GGUF file, and a Modelfile for Ollama.",
)
@json_option
@click.pass_obj
def merge(
    invocation: Invocation,
    version: str,
    output: Path,
    gguf: Literal["f16", "q8_0"] | None,
    as_json: bool,
) -> None:
    """Merge VERSION into the base model, loadable by any program."""
    found = Adapters(invocation.paths.models, invocation.found_model())
    found.resolve(version)  # fail before torch is loaded
    from core.adapters.merge import merge_adapter

    merged = merge_adapter(found, version, output)
    file = _as_gguf(invocation, merged.path, gguf) if gguf else None
    if as_json:
        paths = {"path": str(merged.path), "gguf": str(file) if file else None}
        echo_json({**asdict(merged), **paths})
        return
    click.echo(
        _(
            "Merged {version} into {model} ({precision}): {folder}\n"
            "Reloaded, it gives the same logits (largest difference {difference:.1g})."
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
            _("Wrote {file} and a Modelfile: `ollama create NAME -f {folder}/Modelfile`.").format(
                file=file, folder=merged.path
            )
        )


def _as_gguf(invocation: Invocation, merged: Path, precision: Literal["f16", "q8_0"]) -> Path:
    from core.models import gguf_export

    folder = named(str(merged), invocation.paths.cache)
    file = merged / f"model-{precision}.gguf"
    try:
        gguf_export.write(folder, file, precision)
        text = gguf_export.modelfile(folder, file, invocation.config.chat.system_prompt)
        replace_file(merged / "Modelfile", text.encode("utf-8"))
    except OSError as error:
        raise TuteeError(
            _("Could not write {file}: {why}.").format(file=file, why=error)
        ) from error
    return file


@adapters.command()
@click.argument("version")
@click.option("--gguf", is_flag=True, help="As a LoRA file for llama.cpp: the only format so far.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this new file; default: one in the folder of exports.",
)
@json_option
@click.pass_obj
def export(
    invocation: Invocation, version: str, gguf: bool, output: Path | None, as_json: bool
) -> None:
    """Write VERSION alone, for a program that has the base model already."""
    if not gguf:
        raise click.UsageError(_("Choose a format: --gguf."))
    found = invocation.adapters()
    version = found.resolve(version)
    from core.adapters import gguf_lora

    file = output or invocation.paths.exports / f"{found.folder.id}-{version}-lora.gguf"
    gguf_lora.write(found, version, file)
    if as_json:
        echo_json({"version": version, "path": str(file)})
        return
    click.echo(
        _("Wrote {version} to {file}: `llama-cli -m {model}.gguf --lora {file}`.").format(
            version=version, file=file, model=found.folder.label
        )
    )


@adapters.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@json_option
@click.pass_obj
def add(invocation: Invocation, folder: Path, as_json: bool) -> None:
    """Add an adapter or reward model trained elsewhere.

    An adapter in DIR takes the same exam as one trained here, and is activated if it passes. A
    reward model from a recipe is measured on held-out pairs.
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
        echo_json(asdict(done))
        return
    if done.name == "reward":
        click.echo(_reward_result(done.version, done.metrics))
    elif done.activatable:
        click.echo(
            _("Now using {version}; see `tutee report {version}`.").format(version=done.version)
        )
    else:
        reasons = _("; ").join(map(translated, done.held_back))
        click.echo(
            _("Added {version}, but held it back: {reasons}.").format(
                version=done.version, reasons=reasons
            )
        )


# -- output ----------------------------------------------------------------------------------------


def _reward_result(version: str, metrics: Mapping[str, Any]) -> str:
    count = metrics.get("holdout_pairs")
    if not count:
        return _(
            "Added {version}, but it is not trusted: there are no held-out pairs to measure its "
            "accuracy on."
        ).format(version=version)
    if not metrics["passed"]:
        return _("Added {version}, but it is not trusted: {why}.").format(
            version=version, why=why_untrusted(metrics)
        )
    low, high = metrics["holdout_interval"]
    share = metrics["holdout_accuracy"]
    return _(
        "Added {version}. It is trusted: it ranks {share:.0%} of {count} held-out pairs "
        "correctly ({low:.0%} to {high:.0%})."
    ).format(version=version, share=share, count=count, low=low, high=high)


def _list(invocation: Invocation, as_json: bool) -> None:
    found = invocation.adapters()
    active, remarks = found.active(), found.remarks()

    def remark(manifest: Manifest) -> Remark:
        return remarks.get(manifest.version, Remark())

    if as_json:
        rows = {
            name: [
                {
                    **manifest.model_dump(mode="json", exclude=INTERNAL),
                    **remark(manifest).model_dump(),
                }
                for manifest in versions
            ]
            for name, versions in (
                ("versions", found.versions()),
                ("rewards", found.versions("reward")),
            )
        }
        echo_json({"active": active, **rows})
        return
    unchanged = _("{model}, unchanged").format(model=found.folder.label)
    click.echo(f"{'●' if active == BASE else ' '} {BASE:<5} {unchanged}")
    for manifest in (*found.versions(), *found.versions("reward")):
        mark = "●" if manifest.version == active else " "
        for line in _lines(manifest, remark(manifest)):
            click.echo(f"{mark} {line}")
            mark = " "
    for error in found.damaged():
        click.echo(f"tutee: {harmless(str(error))}", err=True)


def _lines(manifest: Manifest, remark: Remark) -> Iterable[str]:
    parts = [_("{name} from {parent}").format(name=manifest.pass_name, parent=manifest.parent)]
    if manifest.records:
        parts.append(_record_count(len(manifest.records), len(manifest.replayed)))
    if losses := manifest.metrics.get("losses"):
        parts.append(_("loss {first:.2f} → {last:.2f}").format(first=losses[0], last=losses[-1]))
    if (accuracy := manifest.metrics.get("holdout_accuracy")) is not None:
        parts.append(_("{share:.0%} ranked correctly").format(share=accuracy))
    quoted = f"“{harmless(remark.label)}”  " if remark.label else ""
    created = local_minute(manifest.created)
    yield f"{manifest.version:<5} {created}  {quoted}{_(', ').join(parts)}"
    if manifest.held_back:
        reasons = harmless(_("; ").join(map(translated, manifest.held_back)))
        yield "      " + _("held back: {reasons}").format(reasons=reasons)
    if remark.note:
        yield f"      {harmless(one_line(remark.note))}"


def _record_count(new: int, replayed: int) -> str:
    if not replayed:
        return counted(new, "record")
    return ngettext(
        "{count:,} record + {replayed} replayed", "{count:,} records + {replayed} replayed", new
    ).format(count=new, replayed=replayed)


def _print_difference(found: Difference) -> None:
    click.echo(f"{'':<28} {found.a:<24} {found.b}")
    sections: tuple[tuple[str, Mapping[str, Pair]], ...] = (
        (_("made"), found.facts),
        (_("settings"), found.settings),
        (_("libraries"), found.libraries),
        (_("metrics"), found.metrics),
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
