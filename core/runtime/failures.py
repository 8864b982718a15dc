"""Whatever a worker's thread meets, as something to show."""

import logging
import re

from store.errors import TuteeError
from store.i18n import _

log = logging.getLogger(__name__)


def as_tutee_error(error: Exception, what: str) -> TuteeError:
    """`error` as something to show; a defect is logged with its traceback first."""
    if isinstance(error, TuteeError):
        return error
    log.error("%s failed", what, exc_info=error)
    if ran_out(error):
        return TuteeError(
            _("{what} ran out of memory.").format(what=what),
            _("Close other programs, or use a smaller model."),
        )
    return TuteeError(
        _("{what} failed: {why}.").format(what=what, why=error), _("The log file has the details.")
    )


def ran_out(error: BaseException) -> bool:
    """`error` says that there was no memory left."""
    # torch has no exception of its own for a processor that runs out of memory.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and re.search("allocate memory|out of memory", str(error)) is not None
    )
