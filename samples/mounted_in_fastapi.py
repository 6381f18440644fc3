"""An agent beside the routes of your own FastAPI app, inside your own lifespan, behind your own login.

The app says who is calling; a run hook turns that into the session key, so that a conversation belongs to its user.
What the agent works with is opened before the host starts, and closed when the last run has ended.

Run it:  .venv/bin/python samples/mounted_in_fastapi.py
Try it:  curl -s http://127.0.0.1:8000/agent/v1/responses -H "authorization: Bearer ada-token" -d '{"input": "Hi"}'
"""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI, Request, Response

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession
from agent_framework_hosting.testing import AgentRun, ScriptedAgent, recall
from agent_framework_hosting_responses import ResponsesChannel

USERS = {"ada-token": "ada", "bob-token": "bob"}
current_user: ContextVar[str] = ContextVar("current_user")


@dataclass
class GuestBook:
    """Something of yours that has to be opened and closed, such as a pool of database connections."""

    is_open: bool = False
    guests: list[str] = field(default_factory=list[str])


def in_the_users_own_session(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Give every user one conversation, whatever ids the request names."""
    return replace(request, session=ChannelSession(f"user:{current_user.get()}"))


def greet(run: AgentRun) -> list[str]:
    """Write the user into the book, and answer with all that they have said; an agent of yours would do better."""
    book.guests.append(current_user.get())
    return recall(run)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Keep the book open for as long as the host runs."""
    book.is_open = True
    try:
        async with host.lifespan(app):
            yield
    finally:
        book.is_open = False


book = GuestBook()
host = AgentFrameworkHost(ScriptedAgent(every=greet), channels=[ResponsesChannel(run_hook=in_the_users_own_session)])
app = FastAPI(lifespan=lifespan)
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
    return {"ok": book.is_open}


@app.get("/guests")
async def guests() -> list[str]:
    """Answer another one, from what the agent has written."""
    return book.guests


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
