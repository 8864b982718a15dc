"""The log file, the only output of the running app besides its screen."""

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES = 1_000_000
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _PrivateFile(RotatingFileHandler):
    """A log that only its owner can read, because tracebacks may quote a chat."""

    def _open(self):  # type: ignore[no-untyped-def]
        os.makedirs(os.path.dirname(self.baseFilename), mode=0o700, exist_ok=True)
        stream = super()._open()
        os.chmod(self.baseFilename, 0o600)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Ignore it: a log that cannot be written must not write into the terminal."""


def log_to(path: Path) -> logging.Handler:
    """Log warnings and errors of the process to `path`, created with the first of them."""
    handler = _PrivateFile(path, maxBytes=_BYTES, backupCount=1, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    return handler
