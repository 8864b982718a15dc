"""Run the app. What it is composed of is imported behind the first paint (`tui.composition`)."""

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from core.screen_config import screen_table
from store.paths import Paths
from tui.app.tutee_app import TuteeApp
from tui.terminal.capabilities import has_few_colours, has_light_background

if TYPE_CHECKING:
    from tui.services import Services


def run_app(paths: Paths, model: str | None = None, resume: str | None = None) -> None:
    """Run the app until the person quits, and shut the store after it.

    Args:
        paths: Where everything is.
        model: Takes the place of the model that the settings name.
        resume: The beginning of the id of a chat to go on with; empty for the latest one.

    Raises:
        TuteeError: the settings are wrong, there is no such chat, or the home cannot be opened.
    """
    with ExitStack() as held:

        def enter() -> "Services":
            from tui.composition import entered

            return entered(paths, model, resume, held)

        theme = screen_table(paths.config_file).get("theme", "auto")
        light, few = has_light_background(), has_few_colours()
        app = TuteeApp(paths, theme, enter, light=light, few=few)
        threads_ended = app.run()
        if not threads_ended:
            # A thread deep inside a kernel cannot be stopped, and the interpreter's own way out can
            # crash under it. Everything is on disk by now. Without an answer, a defect was met.
            sys.stdout.flush()
            os._exit(1 if threads_ended is None else 0)
    if app.refused is not None:
        raise app.refused
