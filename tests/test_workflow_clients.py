"""Workflows behind the Responses API: outputs as messages, pauses as function calls, restarts in between."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, OpenAI
from openai.types.responses import Response, ResponseFunctionToolCall

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import LoopbackDriver
from agent_framework_hosting_responses.channel import ResponsesChannel

from .served import free_port, serving
from .workflow_host import refunds, take_text

HERE = Path(__file__).parent
KEY = "a key of thirty-two characters and more"


@contextmanager
def client(**options: Any) -> Generator[OpenAI]:
    """Serve the workflow, and return a client of it."""
    channel = ResponsesChannel(run_hook=options.pop("run_hook", take_text))
    with (
        LoopbackDriver(AgentFrameworkHost(refunds, channels=[channel], **options).app) as driver,
        OpenAI(base_url=driver.base_url, api_key="unused", max_retries=0) as api,
    ):
        yield api


def asked_in(response: Response) -> ResponseFunctionToolCall:
    """Return the one call that a response leaves to its client."""
    [call] = [item for item in response.output if item.type == "function_call"]
    return call


def answered(call: ResponseFunctionToolCall, output: str) -> Any:
    """Return the input that answers a call."""
    return [{"type": "function_call_output", "call_id": call.call_id, "output": output}]


def test_outputs_are_messages_and_the_model_is_the_workflow() -> None:
    """And a conversation goes on by the last response's id."""
    with client() as api:
        first = api.responses.create(input="5")
        second = api.responses.create(input="7", previous_response_id=first.id)
    assert (first.model, first.output_text) == ("refunds", "paid 5")
    assert second.output_text == "paid 5 7"


@pytest.mark.parametrize("streams", [False, True])
def test_a_pause_is_a_function_call_that_the_client_answers(streams: bool) -> None:
    """It says what is asked; the answer is JSON."""
    with client() as api:
        if streams:
            with api.responses.stream(model="x", input="1000") as stream:
                paused: Any = stream.get_final_response()
        else:
            paused = api.responses.create(input="1000")
        call = asked_in(paused)
        assert call.name == "request_info"
        assert json.loads(call.arguments)["request_event"]["data"] == {"pay": "1000"}
        done = api.responses.create(input=answered(call, "true"), previous_response_id=paused.id)
        assert done.output_text == "paid 1000"


def test_an_answer_that_does_not_fit_is_400_and_can_be_given_again() -> None:
    """The message says what is expected."""
    with client() as api:
        paused = api.responses.create(input="1000")
        call = asked_in(paused)
        with pytest.raises(BadRequestError, match="the workflow expects bool"):
            api.responses.create(input=answered(call, "perhaps"), previous_response_id=paused.id)
        done = api.responses.create(input=answered(call, "true"), previous_response_id=paused.id)
        assert done.output_text == "paid 1000"


def test_input_of_the_wrong_type_is_400_and_names_the_mend() -> None:
    """The channel hands on messages; this workflow takes text."""
    told = r"takes str, not list\[Message\].*run hook"
    with client(run_hook=None) as api, pytest.raises(BadRequestError, match=told):
        api.responses.create(input="5")


def test_a_stream_of_the_wrong_input_is_refused_before_it_begins() -> None:
    """With an HTTP status, not with an event."""
    with client(run_hook=None) as api, pytest.raises(BadRequestError, match="takes str"):
        api.responses.create(input="5", stream=True)


def test_an_older_response_cannot_be_continued() -> None:
    """A workflow's conversation has one head."""
    with client() as api:
        first = api.responses.create(input="5")
        api.responses.create(input="7", previous_response_id=first.id)
        with pytest.raises(BadRequestError, match="newest turn"):
            api.responses.create(input="9", previous_response_id=first.id)


def test_a_pause_is_answered_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP, in the chat that a trusted platform names; the other chat has no part in it."""
    monkeypatch.setenv("AF_HOSTING_CHECKPOINT_KEY", KEY)

    def create(url: str, value: Any, chat: str) -> httpx2.Response:
        headers = {"x-agent-chat-isolation-key": chat, "x-agent-user-isolation-key": "ada"}
        return httpx2.post(f"{url}/responses", json={"input": value}, headers=headers, timeout=30)

    def served(number: int) -> AbstractContextManager[Any]:
        command = [sys.executable, HERE / "workflow_host.py", tmp_path / "kept", port]
        return serving([str(part) for part in command], port=port, log=tmp_path / f"log {number}")

    with free_port() as port:
        with served(1) as host:
            assert create(host.url, "5", "room").json()["output"][0]["content"][0]["text"] == "paid 5"
            call = create(host.url, "1000", "room").json()["output"][0]
            assert call["type"] == "function_call"
            host.stop()
        answer = [{"type": "function_call_output", "call_id": call["call_id"], "output": "true"}]
        with served(2) as host:
            assert create(host.url, answer, "hall").status_code == 400
            assert create(host.url, answer, "room").json()["output"][0]["content"][0]["text"] == "paid 5 1000"
            assert create(host.url, answer, "room").status_code == 400
            host.stop()
