"""Turn any exception in a worker's thread into an error to show."""

import logging
import re

from store.errors import TuteeError
from store.i18n import _

log = logging.getLogger(__name__)


def as_tutee_error(error: BaseException, what: str) -> TuteeError:
    """Return `error` as an error to show; an unexpected one is logged with its traceback.

    A panic in the Rust code of a tokenizer is no `Exception`, so workers hand over any
    `BaseException`: a thread that died of one would answer nothing more, and nobody would know.

    Args:
        what: What failed, translated; the subject of the error's title.

    Raises:
        KeyboardInterrupt, SystemExit: `error` is one, and ends the thread as it should.
    """
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    if isinstance(error, TuteeError):
        return error
    log.error("%s failed", what, exc_info=error)
    if is_out_of_memory(error):
        title = _("{what} ran out of memory.").format(what=what)
        return TuteeError(title, _("Close other programs, or use a smaller model."))
    title = _("{what} failed: {why}.").format(what=what, why=error)
    return TuteeError(title, _("The log file has the details."))


def is_out_of_memory(error: BaseException) -> bool:
    # torch raises a plain RuntimeError when the CPU runs out of memory.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and re.search("allocate memory|out of memory", str(error)) is not None
    )
