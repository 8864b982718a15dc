"""The endpoint in the app: other programs use the model that the chat has, after the chat.

The server runs in a thread of its own. Feedback that it takes is written in the app's thread, the
only one that uses the home.
"""

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from textual.app import App

from store.errors import TuteeError
from store.i18n import _
from tui.app.chat_status import ChatStatus
from tui.services import Services
from tui.text_format import harmless

if TYPE_CHECKING:
    from store.feedback import Feedback
    from tui.endpoint.application import Served
    from tui.endpoint.completions import Completion
    from tui.endpoint.requests import FeedbackRequest
    from tui.endpoint.server import Server


@dataclass(eq=False)
class EndpointFlow:
    app: App[Any]
    services: Services
    chat: ChatStatus
    server: "Server | None" = None
    _seen: set[tuple[str, str]] = field(default_factory=set)
    """Who has asked already, and which version."""

    async def toggle(self, port: str = "") -> None:
        """Start to serve on `port`, by default the usual one; or stop.

        Raises:
            TuteeError: the port is none or in use, or packages are missing.
        """
        if self.server is not None:
            await asyncio.to_thread(self.close)
            self.app.notify(_("No longer serving."), markup=False)
            return
        from tui.endpoint import packages

        packages.require()
        from tui.endpoint.application import Deps
        from tui.endpoint.server import DEFAULT_HOST, DEFAULT_PORT, Server

        if port and not (port.isdecimal() and int(port) < 2**16):
            raise TuteeError(_("{port} is not a port.").format(port=port))
        deps = Deps(
            worker=self.services.chat,
            config=lambda: self.services.config,
            write_feedback=lambda completion, feedback: self.app.call_from_thread(
                self._write, completion, feedback
            ),
            on_served=self._served,
            records=lambda: self.app.call_from_thread(self.services.repository.trainable),
        )
        key = os.environ.get("TUTEE_API_KEY", "").strip() or None
        self.server = Server(deps, DEFAULT_HOST, int(port or DEFAULT_PORT), key)
        self.server.start()
        self.app.notify(
            _("{url}; /serve stops it.").format(url=self.server.url),
            title=_("Serving to programs on this machine"),
            markup=False,
        )

    def close(self) -> bool:
        """Stop to serve within seconds, and return whether that worked."""
        server, self.server = self.server, None
        return server is None or server.stop()

    def _write(self, completion: "Completion", feedback: "FeedbackRequest") -> "Feedback":
        from tui.endpoint import completions

        written = completions.write(self.services.repository, completion, feedback)
        self.chat.taught()
        return written

    def _served(self, served: "Served") -> None:
        """Called in the server's thread."""
        self.app.call_later(self._show, served)

    def _show(self, served: "Served") -> None:
        """Say who asks, once for each program and version."""
        who = (served.client, served.version)
        if who not in self._seen:
            self._seen.add(who)
            text = _("{client} asks {version}.").format(
                client=harmless(served.client), version=served.version
            )
            self.app.notify(text, markup=False)
