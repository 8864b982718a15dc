"""Run the endpoint with uvicorn: in the foreground for `tutee serve`, in a thread for the app."""

import os
import socket
from collections.abc import Callable
from threading import Thread

import uvicorn

from store.error_messages import reason
from store.errors import TuteeError
from store.i18n import _
from tui.endpoint.application import Deps, application
from tui.endpoint.gatekeeper import is_loopback

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765
_LEAVING_SECONDS = 3
"""Time that open replies get when the server stops."""
_CONNECTIONS = 256


class Server:
    """A bound socket and the server on it.

    Args:
        key: The key that requests must carry; needed on any address but this machine's own.

    Raises:
        TuteeError: the address needs a key, or cannot be listened on.
    """

    def __init__(self, deps: Deps, host: str, port: int, key: str | None) -> None:
        local = is_loopback(host)
        if not local and not key:
            raise TuteeError(
                _("Other machines can reach {host}, so an API key is needed.").format(host=host),
                _("Set TUTEE_API_KEY or --api-key, or listen on {host}.").format(host=DEFAULT_HOST),
            )
        self._socket = _bound(host, port)
        port = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
        config = uvicorn.Config(
            application(deps, key, local),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_LEAVING_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread: Thread | None = None

    def run(self) -> None:
        """Serve until the process is told to end (Ctrl+C)."""
        self._server.run(sockets=[self._socket])

    def start(self, on_end: Callable[[], None] = lambda: None) -> None:
        """Serve in a thread until `stop`."""

        def run() -> None:
            self._server.run(sockets=[self._socket])
            on_end()

        self._thread = Thread(target=run, name="tutee-endpoint", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = _LEAVING_SECONDS + 2) -> bool:
        """Stop, and return whether the thread ended within `timeout` seconds."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        if os.name == "posix":  # elsewhere it would let two servers share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_CONNECTIONS)
        return bound
    except (OSError, OverflowError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise TuteeError(
            _("Cannot listen on {host}, port {port}: {why}.").format(host=host, port=port, why=why),
            _("Choose another one with --host and --port."),
        ) from error
