"""One place that decides what a caller is told about an exception.

Known errors speak for themselves; everything else is logged under an id, and the caller gets the id alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent_framework import exceptions as core

from .._alike import alike
from .._handled import handled_request
from ..errors import (
    HostError,
    RequestError,
    RunCancelled,
    RunError,
    RunTimeout,
    StateDamaged,
    StateUnavailable,
    Unavailable,
)
from ..ids import mint
from ..logs import logger


@alike
@dataclass(frozen=True, slots=True)
class ErrorDescription:
    """What may be told: an HTTP status, a neutral code and a message, where it was, and when to come back.

    `may_retry` says that nothing was started, so that sending the same request again does nothing twice.
    """

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after: int | None = None
    may_retry: bool = False


_CANCELLED: Final = {"drained": "The server is shutting down, and the run was cancelled before its end."}
_CORE_ERRORS: Final[tuple[tuple[type[Exception], int, str, str], ...]] = (
    (core.AgentInvalidRequestException, 400, "invalid_request", "The agent refused this request."),
    (core.ChatClientInvalidRequestException, 400, "invalid_request", "The model's service refused this request."),
    (core.AgentContentFilterException, 400, "content_filter", "The request was refused by a content filter."),
    (core.ChatClientContentFilterException, 400, "content_filter", "The request was refused by a content filter."),
    (core.AgentInvalidAuthException, 502, "upstream_error", "The agent is not allowed to use its model's service."),
    (
        core.ChatClientInvalidAuthException,
        502,
        "upstream_error",
        "The agent is not allowed to use its model's service.",
    ),
    (core.AgentInvalidResponseException, 502, "upstream_error", "The model's service gave an unusable answer."),
    (core.ChatClientInvalidResponseException, 502, "upstream_error", "The model's service gave an unusable answer."),
)


def describe(error: BaseException) -> ErrorDescription:
    """Return what the caller may know of `error`; whatever is not the caller's doing is logged under an id."""
    return noted(_described(error))


def noted(refusal: ErrorDescription) -> ErrorDescription:
    """Return what a caller is told, once the log line, the span and the metrics of the request have its code."""
    request = handled_request()
    if request is not None:
        request.error = refusal.code
    return refusal


def _described(error: BaseException) -> ErrorDescription:
    if isinstance(error, RequestError):
        code, after = error.detail_code or error.code, getattr(error, "retry_after", None)
        return ErrorDescription(error.status, code, error.message, error.param, after, may_retry=True)
    if isinstance(error, Unavailable):
        has_run = isinstance(error, StateUnavailable) and error.has_run
        after = None if has_run else error.retry_after
        return ErrorDescription(error.status, error.code, error.message, None, after, may_retry=not has_run)
    if isinstance(error, RunCancelled):
        if error.reason == "interrupted":
            return ErrorDescription(409, "interrupted", error.message)
        return ErrorDescription(503, error.code, _CANCELLED.get(error.reason, error.message))
    if isinstance(error, RunTimeout):
        return ErrorDescription(error.status, error.code, error.message)
    return _logged(error)


def _logged(error: BaseException) -> ErrorDescription:
    incident = mint("err_")
    if isinstance(error, StateDamaged):
        logger.error("%s: what is stored cannot be read: %s", incident, error.place, exc_info=error.__cause__)
        return ErrorDescription(error.status, error.code, f"{error.message} (error id {incident})")
    for kind, status, code, message in _CORE_ERRORS:
        if isinstance(error, kind):
            logger.warning("%s: the run ended with %s", incident, type(error).__name__, exc_info=error)
            return ErrorDescription(status, code, f"{message} (error id {incident})")
    logger.error("%s: the run failed", incident, exc_info=error)
    # What is wrong with the server's configuration is in the log, for those who can mend it.
    told = HostError if isinstance(error, HostError) else RunError
    code = error.code if isinstance(error, RunError) else told.code
    return ErrorDescription(500, code, f"The server failed to answer this request. (error id {incident})")
