"""The `tutee` command: what every way of starting Tutee has in common.

Standard output carries results only; progress and errors go to standard error. An error a person
can act on is one line there and exit code 1; any other is a defect, goes to the log file with its
traceback, and is one line too. Wrong usage exits with 2 (click's own convention).
"""

import logging
import sys

import click

from store.errors import TuteeError
from store.i18n import _
from tui.cli.root import cli


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = cli.main(prog_name="tutee", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(_("Stopped."), err=True)
        code = 1
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; there is nobody left to tell.
        sys.stderr.close()
        code = 1
    except TuteeError as error:
        click.echo(f"tutee: {error}", err=True)
        code = 1
    except Exception as error:
        logging.getLogger("tutee").critical("Unexpected error", exc_info=error)
        click.echo(
            _(
                "tutee: unexpected {kind}: {error}. The log file has the details; `tutee "
                "locate` prints where it is."
            ).format(kind=type(error).__name__, error=error),
            err=True,
        )
        code = 1
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
