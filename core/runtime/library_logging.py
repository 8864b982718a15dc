"""The model libraries, told to keep to themselves.

Everything in `core` that uses transformers (or what builds on it) calls `hush()` first. The
terminal belongs to the app and standard output to results, so there are no progress bars and no
advice. (`core` itself sets their environment: offline, because models come from folders.)
"""

import functools
import gc
import warnings


@functools.cache
def hush() -> None:
    """Keep the model libraries silent; slow the first time (it imports them)."""
    from transformers.utils import logging

    # What one of them says to the other about its next release.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft)\.")
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def spare_collector() -> None:
    """Take what has been imported out of the garbage collector's sight.

    The libraries bring a million objects that never go away. Walking them holds the interpreter for
    a third of a second, in which no key is drawn, and trainers ask for a full collection each run.
    """
    gc.freeze()
