"""Versions on disk that no training made, for what only reads them."""

from typing import Any

from core.adapters.manifest import BASE, Kind, Manifest, write_manifest
from core.adapters.registry import Adapters
from core.evaluation import report
from core.evaluation.report import Report
from core.training.exam import Answer, Figures, TextFigure

HOSTILE = "<script>alert(1)</script> [red]x[/red] **b** `c` | &amp; _d_ https://e.org \x1b[2J"
"""What a model may write, none of which is to be taken for more than text."""
RIGHT = f"Yes, it is. {HOSTILE}"


def add_version(
    adapters: Adapters,
    *records: str,
    kind: Kind = "adapter",
    examined: tuple[Figures, Figures] | None = None,
    **facts: Any,
) -> str:
    """Save a version with these records and facts, and the figures before and after it."""
    with adapters.new_version(kind) as (version, directory):
        (directory / "adapter_model.safetensors").write_bytes(b"weights")
        manifest = Manifest(
            version=version,
            kind=kind,
            model=adapters.folder.id,
            records=records,
            **{"revision": adapters.folder.revision, **facts},
        )
        if examined:
            before, after = examined
            report.write(
                directory,
                Report(
                    version=version,
                    parent=BASE,
                    pass_name=manifest.pass_name,
                    before=before,
                    after=after,
                    base=before,
                ),
            )
        write_manifest(directory, manifest)
    return version


def figures(reply: str, loss: float, *, ended: bool = True, drift: float = 0.0) -> Figures:
    """What a version that always says `reply` has answered."""
    return Figures(
        taught=(
            Answer(prompt=f"Is it? {HOSTILE}", reply=reply, ended=True, wanted=RIGHT),
            Answer(prompt="Who?", reply=reply, ended=True, wanted="Ada"),
        ),
        holdout=(Answer(prompt="Good?", reply=reply, ended=True, wanted=RIGHT),),
        holdout_loss=loss,
        holdout_losses=(loss - 0.1, loss, loss + 0.1),
        probes=(
            Answer(prompt=f"Why? {HOSTILE}", reply=reply, ended=ended, language="en"),
            Answer(prompt="Rob?", reply="Sorry!", ended=True, language="en", declines=True),
        ),
        drifts=tuple(TextFigure(id=i, language="en", nats=drift) for i in "abc"),
        losses=tuple(TextFigure(id=i, language="en", nats=2.0) for i in "abc"),
    )


def examined_version(adapters: Adapters) -> str:
    """One that learned to say yes, with hostile texts all over it."""
    version = add_version(
        adapters,
        *("a", "b"),
        examined=(
            figures(f"No, it is. {HOSTILE}", 2.5),
            figures(RIGHT, 0.5, ended=False, drift=0.125),
        ),
        replayed=("c",),
        data="d" * 64,
        settings={"learning_rate": 2e-4, "rank": 16, "beta": 0.1},
        libraries={"trl": "1.16.0"},
        metrics={
            "losses": [3.0, 2.0, 1.0],
            "steps": 3,
            "seconds": 2.0,
            "tokens": 1000,
            "trained_tokens": 100,
            "left_out_too_long": 1,
        },
    )
    adapters.label(version, "yes <man>")
    adapters.note(version, HOSTILE)
    return version
