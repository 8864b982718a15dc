"""The log file: the only place where the running app writes, since the terminal is its canvas."""

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES = 1_000_000
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _PrivateFile(RotatingFileHandler):
    """A log that only its owner reads: tracebacks may quote a chat."""

    def _open(self):  # type: ignore[no-untyped-def]
        os.makedirs(os.path.dirname(self.baseFilename), mode=0o700, exist_ok=True)
        stream = super()._open()
        os.chmod(self.baseFilename, 0o600)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: where the log cannot be written, the terminal is still not the place."""


def log_to(path: Path) -> logging.Handler:
    """Send warnings and worse of the whole process to `path`; remove the handler at the end.

    The file is made with the first of them.
    """
    handler = _PrivateFile(path, maxBytes=_BYTES, backupCount=1, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    return handler
