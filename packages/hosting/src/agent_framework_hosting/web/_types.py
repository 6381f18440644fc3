"""What signatures of this package name: shapes of answers, and ports of what others write.

A host serves without them: they are for those who write what fits, and who check types. So each is found where it
belongs, and loaded when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol, TypedDict, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .errors import ErrorDescription

UpdateT_co = TypeVar("UpdateT_co", covariant=True)
UpdateT_contra = TypeVar("UpdateT_contra", contravariant=True)


class ErrorObject(TypedDict):
    """What is wrong, and where."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(TypedDict):
    """An answer that tells of an error."""

    error: ErrorObject


class Model(TypedDict):
    """A model: the agent or workflow."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(TypedDict):
    """All models."""

    object: Literal["list"]
    data: list[Model]


class RenderError(Protocol):
    """Says an error in a channel's protocol; mints a request id when there is none yet."""

    def __call__(self, description: ErrorDescription, *, request_id: bytes | None = None) -> Response:
        """Return the whole answer."""
        ...


class Operation(Protocol):
    """What one method of a path does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer; whatever is raised before the answer has begun becomes an error object."""
        ...


class Machine(Protocol[UpdateT_contra]):
    """Makes a protocol's events of what a run says."""

    def start(self) -> bytes:
        """Return what the answer begins with."""
        ...

    def feed(self, update: UpdateT_contra, /) -> bytes:
        """Return the events of one update; nothing when it says nothing."""
        ...

    def closing(self) -> bytes:
        """Return the end of an answer whose turn is committed."""
        ...


class Updates(Protocol[UpdateT_co]):
    """A run whose updates come one by one; its turn is committed once they have ended. See `HostedStream`."""

    def __aiter__(self) -> AsyncIterator[UpdateT_co]: ...

    async def aclose(self) -> None:
        """Stop the run."""
        ...
