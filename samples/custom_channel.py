"""A channel of your own: questions and answers as plain JSON, whole or as server-sent events.

`POST /ask` takes `{"question": "...", "after": "<id of an answer>", "stream": true}`; `GET /ask/<id>` reads an answer
again. The host does the rest: turns in order, hooks, limits, and shaped errors for whatever is raised here.

Run it:  .venv/bin/python samples/custom_channel.py
Try it:  curl -s http://127.0.0.1:8000/ask --json '{"question": "Are you there?"}'
"""

import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession, HostedRunResult
from agent_framework_hosting.channel import ChannelContext, ChannelContribution, HostedStream
from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from agent_framework_hosting.ids import mint
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting.web.body import ClientGone, read_body
from agent_framework_hosting.web.errors import describe
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.watch import run_while_connected
from agent_framework_hosting.workflows import as_agent_response


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request."""

    question: str
    after: str | None = None
    stream: bool = False


@dataclass(kw_only=True)
class AskChannel:
    """Serves the agent to whoever can send JSON."""

    name: str = "ask"
    path: str = "/ask"
    run_hook: ChannelRunHook | None = None
    stream_update_hook: ChannelStreamUpdateHook | None = None
    response_hook: ChannelResponseHook | None = None

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        """Return the routes."""
        self._context = context
        return ChannelContribution(routes=[Route("/", self.ask, methods=["POST"]), Route("/{id}", self.read)])

    async def ask(self, request: Request) -> Response | EventStream:
        """Answer a question."""
        try:
            body = await read_body(request.scope, request.receive, limits=self._context.limits)
            asked = msgspec.json.decode(body, type=Question)
            return await run_while_connected(self._answered(asked), request.receive)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"The body is no question: {error}") from error
        except ClientGone:
            return Response(status_code=499)  # nobody is there to read it

    async def read(self, request: Request) -> Response:
        """Read an answer again; the host knows whose it is."""
        return JSONResponse(await self._context.read_record(request.path_params["id"]))

    async def _answered(self, asked: Question) -> Response | EventStream:
        record = {"id": mint("ans_"), "answer": ""}  # stored with the turn; what is stored is what is sent
        session = ChannelSession(parent=asked.after, commit_as=record["id"])
        request = ChannelRequest(self.name, "ask", asked.question, session, stream=asked.stream)

        def seal(result: HostedRunResult[Any]) -> dict[str, str]:
            if self.response_hook is not None or not asked.stream:
                record["answer"] = as_agent_response(result.result).text
            return record

        hooks: dict[str, Any] = {"run_hook": self.run_hook, "response_hook": self.response_hook}
        if not asked.stream:
            await self._context.run(request, protocol_request=asked, seal=seal, **hooks)
            return JSONResponse(record)
        hooks["stream_update_hook"] = self.stream_update_hook
        stream = await self._context.run_stream(request, protocol_request=asked, seal=seal, **hooks)
        return EventStream(_events(stream, record), limits=self._context.limits, buffers=self._context.buffers)


async def _events(stream: HostedStream, record: dict[str, str]) -> AsyncGenerator[bytes, None]:
    try:
        async for update in stream:
            record["answer"] += update.text
            if update.text:
                yield _event("piece", update.text)
        yield _event("answer", record)
    except Exception as error:  # noqa: BLE001 - the stream has begun: its last event has to tell what went wrong
        yield _event("error", describe(error).message)
    finally:
        await stream.aclose()


def _event(name: str, data: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


host = AgentFrameworkHost(ScriptedAgent(every=recall), channels=[AskChannel()])  # any agent of yours

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
