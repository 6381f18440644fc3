"""The demo's agent with a real client of each API, against a small server of this machine that speaks both."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from agent_framework_hosting_responses._demo._agent import build_agent
from agent_framework_hosting_responses._demo._settings import NO_KEY, Api, DemoSettings, OpenAIModel


def responses_answer(body: dict[str, Any]) -> dict[str, Any]:
    """An answer of the Responses API that tells how many items of input came."""
    text: dict[str, Any] = {"type": "output_text", "text": f"{len(body['input'])} items", "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body["model"],
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def completions_answer(body: dict[str, Any]) -> dict[str, Any]:
    """An answer of the Chat Completions API that tells how many messages came."""
    message = {"role": "assistant", "content": f"{len(body['messages'])} items"}
    return {
        "id": "cmpl_1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }


class ModelServer(ThreadingHTTPServer):
    """Answers both APIs and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ModelHandler)
        self.requests: list[tuple[str, str, dict[str, Any]]] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class ModelHandler(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, Any]] = {
        "/v1/responses": responses_answer,
        "/v1/chat/completions": completions_answer,
    }

    def do_POST(self) -> None:
        assert isinstance(self.server, ModelServer)
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, self.headers["authorization"], body))
        answer = json.dumps(self.answers[self.path](body)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_request(self, code: object = None, size: object = None) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("api", "path"), [("responses", "/v1/responses"), ("chat-completions", "/v1/chat/completions")]
)
async def test_the_chosen_api_of_the_chosen_server_is_asked_with_the_whole_history(
    server: ModelServer, api: Api, path: str
) -> None:
    model = OpenAIModel(api, "local-model", server.base_url, NO_KEY)
    agent = build_agent(DemoSettings(model=model))
    session = agent.create_session()
    first = await agent.run("Hello!", session=session)
    second = await agent.run("And again.", session=session)
    items = [int(answer.text.split()[0]) for answer in (first, second)]
    assert items[1] - items[0] == 2
    assert session.service_session_id is None
    assert {(asked, key) for asked, key, _ in server.requests} == {(path, f"Bearer {NO_KEY}")}
    for _, _, body in server.requests:
        assert body["model"] == "local-model"
        assert len(body["tools"]) == 3


async def test_the_responses_api_is_told_to_keep_nothing(server: ModelServer) -> None:
    model = OpenAIModel("responses", "local-model", server.base_url, "sk-key")
    await build_agent(DemoSettings(model=model)).run("Hello!")
    [(_, key, body)] = server.requests
    assert key == "Bearer sk-key"
    assert body["store"] is False
