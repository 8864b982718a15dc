"""The `tutee` command.

Standard output carries results only; progress and errors go to standard error. An error that the
user can act on is one line there and exit code 1. Any other is a defect: one line too, with the
traceback in the log file. Wrong usage exits with 2, as is click's convention.
"""

import logging
import sys

import click

from store.errors import TuteeError
from store.i18n import _
from tui.cli.root import cli
from tui.terminal.output import clear_line, safe_output


def main() -> None:
    """Run the command line and exit with its code."""
    with safe_output():
        sys.exit(_run() or 0)


def _run() -> int | None:
    try:
        return _code()
    except click.exceptions.Exit as gone:  # nobody reads the error any more
        return gone.exit_code


def _code() -> int | None:
    try:
        code: int | None = cli.main(prog_name="tutee", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        clear_line()
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        clear_line()
        click.echo(_("Stopped."), err=True)
        code = 1
    except TuteeError as error:
        clear_line()
        click.echo(f"tutee: {error}", err=True)
        code = 1
    except SystemExit:
        raise
    except BaseException as error:  # a panic in the Rust code of a tokenizer is no Exception
        logging.getLogger("tutee").critical("Unexpected error", exc_info=error)
        clear_line()
        click.echo(
            _(
                "tutee: unexpected {kind}: {error}. The log has the details; `tutee locate` prints "
                "its path."
            ).format(kind=type(error).__name__, error=error),
            err=True,
        )
        code = 1
    return code


if __name__ == "__main__":
    main()
