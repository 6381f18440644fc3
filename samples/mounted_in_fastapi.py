"""An agent beside the routes of your own FastAPI app, inside your own lifespan, behind your own login.

Starlette's `AuthenticationMiddleware` says who is calling, and the host takes its user: the ids of answers belong to
whoever got them, and are unknown to everybody else. A run hook gives every user one conversation besides, for requests
that continue no answer. What the agent works with is opened before the host starts, and closed when the last run has
ended.

Run it:  .venv/bin/python samples/mounted_in_fastapi.py
Try it:  curl -s http://127.0.0.1:8000/agent/v1/responses -H "authorization: Bearer ada-token" --json '{"input": "Hi"}'
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI, Request
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from agent_framework_hosting import AgentFrameworkHost, ChannelIdentity, ChannelRequest, ChannelSession
from agent_framework_hosting.auth import bearer_token, mounted_user
from agent_framework_hosting.testing import AgentRun, ScriptedAgent, recall
from agent_framework_hosting_responses import ResponsesChannel

USERS = {"ada-token": "ada", "bob-token": "bob"}


class Login(AuthenticationBackend):
    """Your login; here tokens that stand for users."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        """Return who is calling; `None` for a stranger."""
        name = USERS.get(bearer_token(conn) or "")
        return (AuthCredentials(["known"]), SimpleUser(name)) if name else None


@dataclass
class GuestBook:
    """Something of yours that has to be opened and closed, such as a pool of database connections."""

    is_open: bool = False
    guests: list[str] = field(default_factory=list[str])


def in_the_users_own_session(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Let what continues no answer go on in the user's own conversation, and tell the agent who the user is."""
    user = request.principal.id if request.principal is not None else "nobody"
    session = request.session
    if session is None or session.parent is None:
        session = ChannelSession(f"user:{user}")
    return replace(request, session=session, identity=ChannelIdentity("app", user))


def greet(run: AgentRun) -> list[str]:
    """Write the user into the book, and answer with all that they have said; an agent of yours would do better."""
    book.guests.append(run.messages[-1].additional_properties["hosting"]["identity"]["native_id"])
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
channel = ResponsesChannel(run_hook=in_the_users_own_session)
# `mounted_user` refuses strangers; without it they would be anonymous, one owner for all of them.
host = AgentFrameworkHost(ScriptedAgent(every=greet), channels=[channel], auth=mounted_user)
app = FastAPI(lifespan=lifespan)
app.add_middleware(AuthenticationMiddleware, backend=Login())
app.mount("/agent", host.app)


@app.get("/health")
async def health() -> dict[str, bool]:
    """Answer one of the app's own routes, whoever asks."""
    return {"ok": book.is_open}


@app.get("/guests")
@requires("known", status_code=401)
async def guests(request: Request) -> list[str]:
    """Answer another one, for users alone, from what the agent has written."""
    del request  # it is there for `requires`, which looks at its user
    return book.guests


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
