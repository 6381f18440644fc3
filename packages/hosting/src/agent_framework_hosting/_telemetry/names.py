"""The names of all spans, metrics and attributes; docs/observability.md says what each means."""

from __future__ import annotations

from typing import Final

SCOPE: Final = "agent_framework_hosting"

REQUEST_SPAN: Final = "af_hosting.request"
TURN_SPAN: Final = "af_hosting.turn"
WAIT_SPAN: Final = "af_hosting.wait"
COMMIT_SPAN: Final = "af_hosting.commit"

REQUEST_DURATION: Final = "af_hosting.request.duration"
OPEN_STREAMS: Final = "af_hosting.streams.open"
TURN_WAIT: Final = "af_hosting.turn.wait"
FIRST_UPDATE: Final = "af_hosting.turn.first_update"
TURN_DURATION: Final = "af_hosting.turn.duration"
TURNS_WAITING: Final = "af_hosting.turns.waiting"
TURNS_RUNNING: Final = "af_hosting.turns.running"
TOKENS: Final = "af_hosting.tokens"
ERRORS: Final = "af_hosting.errors"
CACHED_SESSIONS: Final = "af_hosting.sessions.cached"
TASKS_RUNNING: Final = "af_hosting.tasks.running"
TASKS_ENDED: Final = "af_hosting.tasks.ended"
STORE_DURATION: Final = "af_hosting.store.duration"
LOOP_LAG: Final = "af_hosting.event_loop.lag"

REQUEST_ID: Final = "af_hosting.request.id"
CLIENT_REQUEST_ID: Final = "af_hosting.request.client_id"
CHANNEL: Final = "af_hosting.channel"
OPERATION: Final = "af_hosting.operation"
IS_STREAM: Final = "af_hosting.stream"
TURN_ID: Final = "af_hosting.turn.id"
SESSION: Final = "af_hosting.session"
TENANT: Final = "af_hosting.tenant"
CALLER: Final = "af_hosting.caller"
CALLER_KIND: Final = "af_hosting.caller.kind"
TASK_KIND: Final = "af_hosting.task.kind"
OUTCOME: Final = "af_hosting.task.outcome"
STORE_OPERATION: Final = "af_hosting.store.operation"
ERROR_TYPE: Final = "error.type"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - tokens of a model
METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
STATUS: Final = "http.response.status_code"
