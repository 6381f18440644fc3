"""Conversations that belong to whoever has logged in, with Starlette's own authentication.

Your login says who is calling; a middleware below it sets the isolation keys of the request. The user key makes the
user the owner of the ids: nobody else can go on from an answer of theirs, or read it. The chat key names the
conversation that is meant when a request does not say which.

Run it:  .venv/bin/python samples/hooks/key_from_login.py
Try it:  curl -s http://127.0.0.1:8000/agent/responses -u ada:lovelace --json '{"input": "I am Ada"}'
"""

import os
from base64 import b64decode
from binascii import Error
from secrets import compare_digest

from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
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

PASSWORDS = {"ada": "lovelace", "bob": "builder"}


class Login(AuthenticationBackend):
    """Your login; here the users and passwords of HTTP Basic."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        """Return who is calling."""
        kind, _, given = conn.headers.get("authorization", "").partition(" ")
        try:
            name, _, password = b64decode(given).decode().partition(":")
        except (Error, UnicodeDecodeError):
            name, password = "", ""
        known = PASSWORDS.get(name)
        if kind.lower() != "basic" or known is None or not compare_digest(password.encode(), known.encode()):
            raise AuthenticationError("Who are you?")
        return AuthCredentials(), SimpleUser(name)


def refused(_: HTTPConnection, error: Exception) -> Response:
    """Tell a stranger how to log in."""
    return PlainTextResponse(str(error), status_code=401, headers={"www-authenticate": "Basic"})


class KeysOfTheUser:
    """Sets the isolation keys of the user whom the login has let in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        name = scope["user"].display_name
        token = set_current_isolation_keys(IsolationKeys(user_key=name, chat_key=f"user:{name}"))
        try:
            await self.app(scope, receive, send)
        finally:
            reset_current_isolation_keys(token)


host = AgentFrameworkHost(ScriptedAgent(every=recall), channels=[ResponsesChannel()])  # any agent of yours
app = Starlette(
    routes=[Mount("/agent", host.app)],
    middleware=[Middleware(AuthenticationMiddleware, backend=Login(), on_error=refused), Middleware(KeysOfTheUser)],
    lifespan=host.lifespan,
)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
