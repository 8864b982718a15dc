"""Who may use the endpoint.

It listens on this machine only, unless a key is set. Web pages are kept out even then: a page that
the user's browser shows can send requests to this machine, directly or under a host name of its own
that points here (DNS rebinding). So no cross-origin request is allowed, and without a key for other
machines the request must name this machine as its host.

Lets through wrongly: other programs and users of this machine, unless a key is set. Holds back
wrongly: clients that run in a web page, and those that reach this machine under another name
(`/etc/hosts`, a reverse proxy that keeps the name); for the latter, listen on another address with
a key.
"""

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tui.endpoint.api_error import ApiError

_OPEN = ("/health",)
"""Paths that need no key."""


def is_loopback(host: str) -> bool:
    """Return whether `host` names this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Gatekeeper:
    """Refuses requests before anything reads them.

    Args:
        key: The key that requests must carry, if any.
        local: It listens on this machine only.
    """

    def __init__(self, app: ASGIApp, key: str | None, local: bool) -> None:
        self._app = app
        self._key = key.encode() if key else None
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope["path"], Headers(scope=scope))
        except ApiError as error:
            headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
            response = JSONResponse(error.body(), error.status, headers)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._local and not is_loopback(_name(host)):
            raise ApiError(403, "This host name is not allowed.", "host_not_allowed")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise ApiError(403, "Web pages may not use this endpoint.", "origin_not_allowed")
        if self._key is None or path in _OPEN:
            return
        scheme, _space, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._key)
        if scheme.lower() != "bearer" or not right:
            raise ApiError(401, "The API key is missing or wrong.", "invalid_api_key")


def _name(host: str) -> str:
    """Return the name or address of a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
