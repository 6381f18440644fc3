"""A chat over WebSockets: rooms that remember, answers in pieces or whole, and a run that stops when its caller leaves.

Connect to `/chat?room=lobby`, send `{"text": "...", "stream": true}`, and get `{"type": "piece" | "answer" | "error"}`.
A room is its caller's own. `"after": "<id of an answer>"` goes on from there, `"reset": true` begins the room anew.

Run it:  .venv/bin/python samples/websocket_channel.py
Try it:  .venv/bin/python -m websockets ws://127.0.0.1:8000/chat     then type  {"text": "Are you there?"}
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession, HostedRunResult
from agent_framework_hosting.channel import ChannelContext, ChannelContribution
from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge
from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from agent_framework_hosting.ids import mint
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting.web.errors import describe
from agent_framework_hosting.workflows import as_agent_response


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """What a client sends."""

    text: str
    stream: bool = False
    after: str | None = None
    reset: bool = False


@dataclass(kw_only=True)
class ChatChannel:
    """Serves the agent to whoever can open a WebSocket."""

    name: str = "chat"
    path: str = "/chat"
    run_hook: ChannelRunHook | None = None
    stream_update_hook: ChannelStreamUpdateHook | None = None
    response_hook: ChannelResponseHook | None = None

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        self._context = context
        return ChannelContribution(routes=[WebSocketRoute("/", self.talk)])

    async def talk(self, socket: WebSocket) -> None:
        """Answer one message after another, and listen meanwhile: nobody else would notice that the caller leaves."""
        await socket.accept()
        inbox: asyncio.Queue[str | bytes] = asyncio.Queue(self._context.limits.max_waiting)
        answering = asyncio.create_task(self._answer_all(socket, inbox))
        try:
            while (event := await socket.receive())["type"] == "websocket.receive":
                if inbox.full():
                    return await socket.close(1013, "Too many messages wait for their answers.")
                inbox.put_nowait(event.get("text") or event.get("bytes") or "")
        finally:
            answering.cancel()
            await asyncio.wait({answering})

    async def _answer_all(self, socket: WebSocket, inbox: asyncio.Queue[str | bytes]) -> None:
        room = socket.query_params.get("room", "lobby")
        while True:
            try:
                async with aclosing(self._parts(await inbox.get(), room)) as parts:
                    async for part in parts:
                        await socket.send_json(part)
            except Exception as error:  # noqa: BLE001 - one message went wrong; the connection goes on
                told = describe(error)
                await socket.send_json({"type": "error", "code": told.code, "message": told.message})

    async def _parts(self, sent: str | bytes, room: str) -> AsyncGenerator[dict[str, Any], None]:
        said = _read(sent, most=self._context.limits.max_request_bytes)
        key = f"{self.name}/{quote(self._context.principal.id, safe='')}/{room}"  # nobody can name another's room
        if said.reset:
            await self._context.areset_session(key)
        answer = {"type": "answer", "id": mint("msg_"), "text": ""}  # stored with the turn; what is stored is sent
        session = ChannelSession(None if said.after else key, parent=said.after, commit_as=answer["id"])
        request = ChannelRequest(self.name, "message", said.text, session, stream=said.stream)

        def seal(result: HostedRunResult[Any]) -> dict[str, str]:
            if self.response_hook is not None or not said.stream:
                answer["text"] = as_agent_response(result.result).text
            return answer

        steps: dict[str, Any] = {"run_hook": self.run_hook, "response_hook": self.response_hook, "seal": seal}
        if said.stream:
            steps["stream_update_hook"] = self.stream_update_hook
            stream = await self._context.run_stream(request, protocol_request=said, **steps)
            async with aclosing(stream):
                async for update in stream:
                    answer["text"] += update.text
                    if update.text:
                        yield {"type": "piece", "text": update.text}
        else:
            await self._context.run(request, protocol_request=said, **steps)
        yield answer


def _read(sent: str | bytes, *, most: int) -> Message:
    if len(sent) > most:
        raise RequestTooLarge(f"The message is longer than {most}. Send less at once.")
    try:
        return msgspec.json.decode(sent, type=Message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"This is no message: {error}") from error


host = AgentFrameworkHost(ScriptedAgent(every=recall), channels=[ChatChannel()])  # any agent of yours

if __name__ == "__main__":
    host.serve(port=int(os.environ.get("PORT", "8000")))
