"""Run the app; `tui.composition`, which it is made of, is imported behind the first frame."""

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from core.screen_config import screen_table
from store.paths import Paths
from tui.app.tutee_app import TuteeApp
from tui.terminal.capabilities import has_few_colors, has_light_background

if TYPE_CHECKING:
    from tui.services import Services


def run_app(
    paths: Paths,
    model: str | None = None,
    resume: str | None = None,
    teach: str | None = None,
) -> None:
    """Run the app until the user quits, then close the store.

    Arguments and errors are those of `tui.composition.entered`.
    """
    with ExitStack() as held:

        def enter() -> "Services":
            from tui.composition import entered

            return entered(paths, model, resume, held, teach)

        theme = screen_table(paths.config_file).get("theme", "auto")
        light, few = has_light_background(), has_few_colors()
        app = TuteeApp(paths, theme, enter, light=light, few=few)
        threads_ended = app.run()
        if not threads_ended:
            # A thread inside a compute kernel cannot be stopped, and a regular exit can crash while
            # it runs. Everything is on disk by now. None means that a defect ended the app.
            sys.stdout.flush()
            os._exit(1 if threads_ended is None else 0)
    if app.refused is not None:
        raise app.refused
