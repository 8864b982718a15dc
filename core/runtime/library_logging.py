"""Keep the model libraries silent, and out of the garbage collector's way.

Everything in `core` that uses transformers, or a library built on it, calls `hush()` first. The
terminal belongs to the app and standard output to results, so there are no progress bars and no
advice. (`core` itself sets the libraries' environment: offline, because models come from folders.)
"""

import functools
import gc
import warnings


@functools.cache
def hush() -> None:
    """Silence the model libraries; slow at the first call, which imports them."""
    from transformers.utils import logging

    # What they tell each other about their next releases.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft)\.")
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def spare_collector() -> None:
    """Exempt all objects that exist now from garbage collection.

    The libraries create a million objects that never go away. Walking them holds the interpreter
    long enough to freeze the screen, and trainers ask for a full collection in each run.
    """
    gc.freeze()
