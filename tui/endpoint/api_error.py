"""Errors in the shape of OpenAI's API.

Their texts are English in every language, like all output that programs read.
"""

from typing import Any


class ApiError(Exception):
    """A request that cannot be fulfilled.

    Args:
        status: The HTTP status.
        code: What programs tell it by.
        param: The field of the request that is at fault.
    """

    def __init__(self, status: int, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param

    def body(self) -> dict[str, Any]:
        """Return the JSON object that clients of the API expect."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 401:
            kind = "authentication_error"
        elif self.status == 429:
            kind = "rate_limit_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}


def unsupported(message: str, param: str) -> ApiError:
    """Return the error for a field that would change the reply, but that Tutee cannot follow."""
    return ApiError(400, message, "unsupported_parameter", param)
