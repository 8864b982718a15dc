"""Write the documents that list what the code has: commands, settings and keys.

`make docs` writes them to `.github/docs`; a test holds that they are what the code says.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from store.i18n import set_language
from tui.bindings import tables
from tui.cli.root import cli
from tui.commands.keymap import bound
from tui.views.settings import SECTIONS, all_settings, format_value

FOLDER = Path(__file__).parent.parent / ".github" / "docs"
_WIDTH = 88


def commands() -> str:
    """Return `commands.md`: the help of every command."""
    parts = [
        "# Commands\n",
        "Results go to standard output, progress and errors to standard error. Exit codes: 0 done, "
        "1 it could not\nbe done (one line says why), 2 wrong usage. `--home` and `--model` stand "
        "before the command.\n",
    ]
    root = click.Context(cli, info_name="tutee", max_content_width=_WIDTH, **cli.context_settings)
    for context in _contexts(root):
        path = context.command_path
        level = "#" * min(path.count(" ") + 2, 3)
        parts.append(f"{level} {path}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def _contexts(context: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command, then those of the commands in it."""
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None and not command.hidden:
                yield from _contexts(
                    click.Context(
                        command, parent=context, info_name=name, **command.context_settings
                    )
                )


def settings() -> str:
    """Return `settings.md`: every setting of F9, as `config.toml` has it."""
    parts = [
        "# Settings\n",
        "F9 shows and changes them; `tutee locate` says where `config.toml` is. What is not in the "
        "file has its default.\nComments in the file are kept.\n",
    ]
    for place, heading in SECTIONS.items():
        rows = [
            f"| `{one.name}` | {_code(format_value(one.default))} | {_cell(one.help)}"
            f"{_limits(one.options, one.bounds)} |"
            for one in all_settings()
            if one.section == place
        ]
        parts.append(
            f"## {heading}: `[{place}]`\n\n| setting | default | what it does |\n|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(parts)


def _limits(options: tuple[str, ...], bounds: str) -> str:
    said = ", ".join(f"`{option}`" for option in options) or bounds
    return f" ({said})" if said else ""


def keys() -> str:
    """Return `keys.md`: the id of every action, its key and what it does."""
    rows = [
        f"| `{action.id}` | {', '.join(f'`{key}`' for key in action.keys)} | "
        f"{_cell(action.description)} |"
        for action in bound(tables()).values()
    ]
    return "\n".join(
        [
            "# Keys\n",
            "F1 lists the keys of the screen you are on. Each can be another one, under `[keys]` "
            "in `config.toml`:\n",
            '```toml\n[keys]\nchat.like = "f2,f12"\n```\n',
            "A bad entry is refused with its reason when Tutee starts; `tutee keys` lists what "
            "there is now.\n",
            "| action | keys | does |\n|---|---|---|",
            *rows,
            "",
        ]
    )


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else "–"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {"commands.md": commands, "settings.md": settings, "keys.md": keys}


def main() -> None:
    set_language("en")
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
