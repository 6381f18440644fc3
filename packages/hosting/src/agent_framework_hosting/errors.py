"""Every error that the host raises on purpose, named by who must act.

    HostError
    ├── ConfigurationError        the developer: refused at construction or at start
    │   ├── TargetError           ... a target that cannot be run
    │   └── CheckpointConflict    ... two places for the checkpoints of one workflow
    ├── StartFailed               the operator: none of several processes could begin to serve
    ├── RequestError              the caller: the request can be mended
    │   ├── InvalidRequest
    │   ├── UnknownId
    │   │   └── UnknownParent     ... the snapshot to continue from
    │   ├── NotForkable           ... history lies where only its head can be continued
    │   ├── OneSessionOnly        ... this workflow can hold one conversation, which is another one
    │   ├── NotRestorable         ... where the conversation stood cannot be read any more
    │   ├── AnsweredAlready       ... a request for approval, which takes one answer
    │   ├── AccessDenied
    │   │   └── InsufficientScope ... the caller is known, and was not granted what this needs
    │   ├── Conflict              ... with something that runs, or has happened already
    │   │   ├── SessionBusy
    │   │   └── IdempotencyConflict
    │   ├── Unauthenticated       ... nobody knows who is calling
    │   ├── RequestTooLarge
    │   ├── RequestTimeout
    │   ├── UnsupportedMedia      ... a body in a form that is not read here
    │   ├── QueueFull
    │   └── LimitReached          ... of what one caller may have under way
    │       └── QuotaExceeded     ... or may use up
    ├── Unavailable               nobody: try again later
    │   ├── NotStarted
    │   ├── Draining
    │   ├── Overloaded
    │   └── StateUnavailable      ... what keeps the state does not answer
    ├── StateDamaged              the operator: what is stored cannot be read
    └── RunError                  the operator: the run itself went wrong
        ├── RunCancelled
        │   └── LeaseLost         ... because somebody else has taken the session over
        ├── RunTimeout
        ├── ResponseTooLarge
        └── HookError

Each class carries a neutral `code` (a channel translates it into its protocol's words) and the HTTP `status` that fits.
A `message` is written for the person who reads the answer; it never contains text of an inner exception.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar


class HostError(Exception):
    """Base of all errors that the host raises on purpose."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    is_for_logs: ClassVar[bool] = True
    """Whether the message quotes nothing that a caller sent, so that logs may show it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        # By themselves exceptions are made again of their message, and many of these are made of something else.
        return _made_again, (type(self), self.args, self.__dict__)


def _made_again(kind: type[HostError], args: tuple[Any, ...], fields: dict[str, Any]) -> HostError:
    """Return an error that was copied or pickled."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class ConfigurationError(HostError, ValueError):
    """The host was put together in a way that cannot work; the message says how to mend it."""

    code = "configuration_error"


class TargetError(ConfigurationError, TypeError):
    """The target is nothing that the host can run."""

    code = "invalid_target"


class CheckpointConflict(ConfigurationError, RuntimeError):
    """A workflow has a checkpoint storage of its own, and the host is told to keep checkpoints, too."""


class StartFailed(HostError):
    """None of the processes that were to serve could begin to; the message carries what the last one said."""

    code = "start_failed"


class RequestError(HostError):
    """The caller's request cannot be served as it is.

    Args:
        message: What is wrong, and how to mend it.
        param: Where in the request (`"input[2].role"`), when that can be said.
        code: A finer code than the class's own, in the protocol's words.
    """

    code = "invalid_request"
    status = 400
    is_for_logs = False

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.detail_code = code


class InvalidRequest(RequestError):
    """The request is malformed, or asks for something that is not offered."""


class UnknownId(RequestError):
    """An id is unknown, expired, or another principal's; the three are answered alike."""

    code = "not_found"
    status = 404


class UnknownParent(UnknownId):
    """The snapshot to continue from is unknown, expired, or another principal's."""

    code = "unknown_parent"
    status = 400


class NotForkable(RequestError):
    """A copy of a conversation is needed, for an older point of it or an aside, but only its head can be continued."""

    code = "not_forkable"


class AnsweredAlready(RequestError):
    """A request for approval was answered before, in this branch of the conversation or in another one.

    The status is not 409, since many clients send a request that got one again by themselves.
    """

    code = "answered_already"

    def __init__(self, *, param: str | None = None) -> None:
        super().__init__(
            "This approval request was answered already, and its first answer counts. Leave the answer out, or let the "
            "agent ask again.",
            param=param,
        )


class OneSessionOnly(RequestError):
    """The workflow has one instance that cannot be copied, and another session is in it."""

    code = "one_session_only"
    status = 409


class NotRestorable(RequestError):
    """Where the conversation stood cannot be restored, so it cannot go on."""

    code = "not_restorable"
    status = 409


class AccessDenied(RequestError):
    """The caller may not do this."""

    code = "access_denied"
    status = 403


class InsufficientScope(AccessDenied):
    """The caller is known, and was not granted what this needs (RFC 6750, 3.1)."""

    code = "insufficient_scope"

    def __init__(self, scopes: Collection[str]) -> None:
        super().__init__(f"These credentials do not reach as far as this. It needs: {', '.join(sorted(scopes))}.")
        self.scopes: frozenset[str] = frozenset(scopes)


class Conflict(RequestError):
    """The request conflicts with something that runs, or that has happened already."""

    code = "conflict"
    status = 409


class SessionBusy(Conflict):
    """Something runs in this session, and requests are not to wait for it."""

    code = "session_busy"
    retry_after: ClassVar[int] = 1


class IdempotencyConflict(Conflict):
    """An idempotency key is in use, or was used for something else."""

    code = "idempotency_conflict"

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @classmethod
    def in_use(cls) -> IdempotencyConflict:
        """Say that the first request under the key is still being worked on."""
        return cls("The first request with this idempotency key is still running. Send it again later.", retry_after=1)

    @classmethod
    def other_request(cls) -> IdempotencyConflict:
        """Say that the key stands for another request."""
        return cls("This idempotency key was used for another request. Use a new key for a new request.")


class Unauthenticated(RequestError):
    """Nobody knows who is calling; missing, wrong and expired credentials are answered alike."""

    code = "unauthenticated"
    status = 401

    def __init__(
        self, message: str = "This request needs authentication: its credentials are missing or not valid."
    ) -> None:
        super().__init__(message)


class RequestTooLarge(RequestError):
    """A size, depth or count limit of the request is exceeded."""

    code = "request_too_large"
    status = 413


class RequestTimeout(RequestError):
    """The request did not arrive in time."""

    code = "request_timeout"
    status = 408


class QueueFull(RequestError):
    """Too many turns of this session wait already."""

    code = "queue_full"
    status = 429
    retry_after: ClassVar[int] = 1


class UnsupportedMedia(RequestError):
    """The body comes in a form that this server does not read, such as compressed."""

    code = "unsupported_media_type"
    status = 415


class LimitReached(RequestError):
    """The caller has as much under way as this server takes of one.

    Args:
        message: What there is too much of.
        retry_after: Seconds after which the same request may be taken.
    """

    code = "rate_limit_exceeded"
    status = 429

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaExceeded(LimitReached):
    """The caller has used up the tokens of a minute or a day."""

    code = "quota_exceeded"


class Unavailable(HostError):
    """The host cannot take the request now; the same request may succeed later."""

    code = "unavailable"
    status = 503
    retry_after: ClassVar[int] = 1


class NotStarted(Unavailable):
    """The host's lifespan has not run, and this host has something to start."""

    code = "not_started"


class Draining(Unavailable):
    """The host is shutting down and takes no new work."""

    code = "draining"


class Overloaded(Unavailable):
    """This process has as much under way as it takes, from all callers together."""

    code = "overloaded"


class StateUnavailable(Unavailable):
    """The database does not answer, or cannot store anything; what was acknowledged before is not lost.

    `has_run` says that the request has run all the same, so that to send it again would run it a second time.
    """

    code = "state_unavailable"

    def __init__(
        self,
        message: str = "The server cannot reach its database at the moment. Send the request again.",
        *,
        has_run: bool = False,
    ) -> None:
        super().__init__(message)
        self.has_run = has_run


class StateDamaged(HostError):
    """What is stored of a conversation cannot be read; nothing takes its place.

    `place` says where it lies, for the log.
    """

    code = "state_damaged"

    def __init__(self, place: str) -> None:
        super().__init__("What is stored of this conversation cannot be read.")
        self.place = place


class RunError(HostError):
    """The run itself went wrong."""

    code = "run_failed"


class RunCancelled(RunError):
    """The run was cancelled before its end.

    `reason` is `"closed"` (the stream was closed), `"disconnected"`, `"stalled"` (the reader made no progress) or
    `"drained"` (the host is shutting down).
    """

    code = "cancelled"

    def __init__(self, message: str = "The run was cancelled before its end.", *, reason: str = "closed") -> None:
        super().__init__(message)
        self.reason = reason


class LeaseLost(RunCancelled):
    """The session was taken over, because this process did not answer for too long; nothing of the run was stored."""

    code = "lease_lost"

    def __init__(self) -> None:
        super().__init__(
            "The session was taken over by another process; nothing of this run was stored.", reason="lost"
        )


class RunTimeout(RunError):
    """The run took longer than it may, and was stopped."""

    code = "run_timeout"
    status = 504


class ResponseTooLarge(RunError):
    """The answer grew beyond the configured size and was cut."""

    code = "response_too_large"


class HookError(RunError):
    """A hook returned something that it must not return."""

    code = "hook_failed"
