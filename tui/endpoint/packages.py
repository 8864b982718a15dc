"""Whether the packages of the endpoint are installed: they are an extra."""

from importlib.util import find_spec

from store.errors import TuteeError
from store.i18n import _


def require() -> None:
    """Check that the packages are installed.

    Raises:
        TuteeError: they are not.
    """
    if not all(find_spec(name) for name in ("starlette", "uvicorn")):
        raise TuteeError(
            _("The endpoint needs packages that are not installed."),
            _("Install them: pip install 'tutee[serve]'."),
        )
