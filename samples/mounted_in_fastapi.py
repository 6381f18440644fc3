"""An agent beside the routes of your own FastAPI app, behind your own login.

The app says who is calling; a run hook turns that into the session key, so that a conversation belongs to its user.
Run it, then: curl -s http://127.0.0.1:8000/agent/v1/responses -H "authorization: Bearer ada-token" -d '{"input": "Hi"}'
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request, Response

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting_responses import ResponsesChannel

USERS = {"ada-token": "ada", "bob-token": "bob"}
current_user: ContextVar[str] = ContextVar("current_user")


def in_the_users_own_session(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Give every user one conversation, whatever ids the request names."""
    return replace(request, session=ChannelSession(f"user:{current_user.get()}"))


agent = ScriptedAgent(every=recall)  # any agent of yours; this one answers with all that its user has said
host = AgentFrameworkHost(agent, channels=[ResponsesChannel(run_hook=in_the_users_own_session)])
app = FastAPI(lifespan=host.lifespan)
app.mount("/agent", host.app)


@app.middleware("http")
async def login(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Let only known users pass."""
    user = USERS.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if user is None and request.url.path != "/health":
        return Response("Who are you?", status_code=401)
    current_user.set(user or "nobody")
    return await call_next(request)


@app.get("/health")
async def health() -> dict[str, bool]:
    """Answer one of the app's own routes."""
    return {"ok": True}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=8000)
