"""Everything that eyechart raises on purpose, as one tree.

::

    EyechartError                    exit code 1
    ├── ConfigError                  1  the configuration, the command line or an argument is wrong
    ├── DataError                    1  a benchmark file is missing, malformed or lacks a column
    ├── MediaError                   -  one picture, video or page cannot be read: that sample fails, not the run
    ├── EndpointError                -  one request to a model failed
    │   ├── AuthError                3  the key is refused (401, 403, some servers 400)
    │   ├── NotFound                 3  the path or the model does not exist (404, some servers 400)
    │   ├── BadRequest               -  the server refuses this request as it stands (400, 413, 422)
    │   │   └── ContextOverflow      -  the prompt does not fit into the model's context
    │   ├── RateLimited              -  too many requests (429)
    │   ├── Overloaded               -  the server is busy or restarting (503, 529)
    │   ├── ServerFault              -  the server failed on this request (500, 502, 504 and other 5xx)
    │   ├── Timeout                  -  no complete answer in time (also 408)
    │   ├── Transport                -  refused, reset or broken connection, DNS or TLS failure
    │   ├── MalformedReply           -  a 2xx whose body is not a chat completion
    │   └── EmptyAnswer              -  a well-formed reply without any text
    ├── EndpointUnusable             3  the endpoint answers nothing, or refuses everything: the run stops, resumable
    ├── JudgeError                   3  the judge cannot be used
    ├── RunLocked                    1  another process writes this run
    └── StorageError                 1  a result cannot be written (disk full, read-only)

A dash marks errors that end as a typed `Failure` of one sample and reach the caller only in its records.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AuthError",
    "BadRequest",
    "ConfigError",
    "ContextOverflow",
    "DataError",
    "EmptyAnswer",
    "EndpointError",
    "EndpointUnusable",
    "EyechartError",
    "JudgeError",
    "MalformedReply",
    "MediaError",
    "NotFound",
    "Overloaded",
    "RateLimited",
    "RunLocked",
    "ServerFault",
    "StorageError",
    "Timeout",
    "Transport",
]


class EyechartError(Exception):
    """Base of all errors that eyechart raises on purpose; its text is meant for the user."""

    exit_code: ClassVar[int] = 1


class ConfigError(EyechartError):
    """The configuration is wrong; the text names the path of the field and the nearest right one."""


class DataError(EyechartError):
    """A benchmark file cannot be used; the text names file, row and column where they are known."""


class MediaError(EyechartError):
    """One picture, video or page cannot be read; only the sample that shows it fails."""


class EndpointError(EyechartError):
    """One request to a model failed.

    Attributes:
        status: HTTP status, None when no response came.
        retry_after: seconds that the server asked to wait, None when it named no time.
        retryable: whether the same request may succeed later.
    """

    exit_code: ClassVar[int] = 3
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class AuthError(EndpointError):
    """The key was refused."""


class NotFound(EndpointError):
    """The path or the model does not exist on this server."""


class BadRequest(EndpointError):
    """The server refuses this request as it stands; asking again changes nothing."""


class ContextOverflow(BadRequest):
    """The prompt does not fit into the model's context."""


class RateLimited(EndpointError):
    """The server asks for fewer requests (429)."""

    retryable: ClassVar[bool] = True


class Overloaded(EndpointError):
    """The server is busy, loading or restarting (503, 529)."""

    retryable: ClassVar[bool] = True


class ServerFault(EndpointError):
    """The server failed while it worked on this request (other 5xx); some do so on a bad picture."""

    retryable: ClassVar[bool] = True


class Timeout(EndpointError):
    """No connection, or no complete answer, within the time limit."""

    retryable: ClassVar[bool] = True


class Transport(EndpointError):
    """The connection was refused, reset or broken off, or a name or certificate did not check out."""

    retryable: ClassVar[bool] = True


class MalformedReply(EndpointError):
    """The server said 2xx but its body is not a chat completion."""

    retryable: ClassVar[bool] = True


class EmptyAnswer(EndpointError):
    """The reply is well formed and holds no text."""

    retryable: ClassVar[bool] = True


class EndpointUnusable(EyechartError):
    """The endpoint answers nothing or refuses everything; the run stops and can be resumed."""

    exit_code: ClassVar[int] = 3


class JudgeError(EyechartError):
    """The judge cannot be used, or has no verdict where one is required."""

    exit_code: ClassVar[int] = 3


class RunLocked(EyechartError):
    """Another process is writing this run."""


class StorageError(EyechartError):
    """A result cannot be written: disk full, folder read-only, file vanished."""
