"""One conversation for each room, named by the route: everybody in the room talks in it.

The host's app is mounted below a route parameter. A thin app around it asks whether the caller may be in that room
(a key says what is shared; whoever sets it has authorised the caller), and sets the isolation keys.

Run it:  .venv/bin/python samples/hooks/key_from_route.py
Try it:  curl -s http://127.0.0.1:8000/rooms/kitchen/responses -H "authorization: Bearer ada-token" \
    --json '{"input": "Hi"}'
"""

import os

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_framework_hosting import (
    AgentFrameworkHost,
    IsolationKeys,
    reset_current_isolation_keys,
    set_current_isolation_keys,
)
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting_responses import ResponsesChannel

USERS = {"Bearer ada-token": "ada", "Bearer bob-token": "bob"}
MEMBERS = {"kitchen": {"ada", "bob"}, "attic": {"ada"}}


class InTheirRoom:
    """Lets members of a room into its conversation."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        room: str = scope["path_params"]["room"]
        user = USERS.get(Headers(scope=scope).get("authorization", ""))
        if user is None or user not in MEMBERS.get(room, ()):
            # A room that is not theirs and one that does not exist are the same to a caller.
            await PlainTextResponse("There is no such room for you.", status_code=404)(scope, receive, send)
            return
        # The room owns the ids, so that one member may go on from the answer to another one.
        token = set_current_isolation_keys(IsolationKeys(user_key=f"room:{room}", chat_key=f"room:{room}"))
        try:
            await self.app(scope, receive, send)
        finally:
            reset_current_isolation_keys(token)


host = AgentFrameworkHost(ScriptedAgent(every=recall), channels=[ResponsesChannel()])  # any agent of yours
app = Starlette(routes=[Mount("/rooms/{room}", InTheirRoom(host.app))], lifespan=host.lifespan)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
