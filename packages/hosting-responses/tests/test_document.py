"""The OpenAPI document describes what is really read and sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate
from responses_description import SEEN, check_described
from starlette.requests import HTTPConnection
from starlette.routing import Route

from agent_framework_hosting.errors import ConfigurationError, RequestError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent, ServerSentEvent, recall
from agent_framework_hosting_responses._document import document
from agent_framework_hosting_responses._inbound.fields import FIELDS
from agent_framework_hosting_responses._inbound.input import read_input
from agent_framework_hosting_responses._outbound.event_words import EVENTS
from agent_framework_hosting_responses.channel import ResponsesChannel

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
DESCRIBED: Final = document(
    responses="/v1/responses",
    conversations="/v1/conversations",
    models="/v1/models",
    limits=Limits(),
    name="agent",
)


def hosting(**options: Any) -> AgentFrameworkHost:
    return AgentFrameworkHost(ScriptedAgent(every=recall), channels=[ResponsesChannel(**options)])


def fits(name: str) -> Any:
    """Return what checks a value by one of the document's schemas."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DESCRIBED["components"]})


def check_sent(event: ServerSentEvent) -> None:
    fits("StreamEvent").validate({"event": event.event, "data": event.data})
    told = [each["properties"] for each in DESCRIBED["components"]["schemas"]["StreamEvent"]["oneOf"][:-1]]
    written = [each["data"]["contentSchema"]["$ref"] for each in told if each["event"]["const"] == event.event]
    assert len(written) == (event.data != "[DONE]")
    for each in written:
        fits(each.rpartition("/")[2]).validate(event.json())


PLACES: Final = {
    "/responses": "/v1/responses",
    "/api/v1/responses": "/api/v1/responses",
    "/x": "/x",
    "": "",
}


@pytest.mark.parametrize("path", PLACES)
async def test_the_document_is_valid_wherever_the_channel_is(path: str) -> None:
    async with InMemoryDriver(hosting(path=path).app) as driver:
        answer = await driver.request("GET", f"{path}/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    described = answer.json()
    assert described["openapi"].startswith("3.1")
    validate(described)
    assert (PLACES[path] or "/") in described["paths"]
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(described)))
    assert references <= described["components"]["schemas"].keys()


def served_paths(host: AgentFrameworkHost) -> Iterator[str]:
    """Yield the paths that the channel serves below `/v1`, as the document writes them."""
    names = {"response": "response_id", "conversation": "conversation_id", "item": "item_id", "id": "model"}
    for route in host.app.routes:
        if isinstance(route, Route) and route.path.startswith("/v1/") and not route.path.endswith(("/", "{rest:path}")):
            yield re.sub(r"{(\w+)(:path)?}", lambda part: f"{{{names[part[1]]}}}", route.path)


async def test_every_path_and_method_that_is_served_is_described_and_no_other() -> None:
    host = hosting()
    async with InMemoryDriver(host.app) as driver:
        described = (await driver.request("GET", "/v1/responses/openapi.json")).json()["paths"]
        assert {*served_paths(host)} - {"/v1/responses/openapi.json"} == described.keys()
        for path, operations in described.items():
            offered = {method.upper() for method in operations if method != "parameters"}
            for method in METHODS:
                answer = await driver.request(method, re.sub(r"{\w+}", "some", path))
                is_offered = answer.status != 405
                assert is_offered == (method in offered), f"{method} {path}"
                if not is_offered:
                    assert {*answer.headers["allow"].split(", ")} == offered
                    fits("ErrorBody").validate(answer.json())


async def test_the_document_can_be_elsewhere_or_nowhere() -> None:
    async with InMemoryDriver(hosting(openapi="/docs/openapi.json").app) as driver:
        for path in ("/responses", "/v1/responses"):
            assert (await driver.request("GET", f"{path}/docs/openapi.json")).status == 200
    async with InMemoryDriver(hosting(openapi=None).app) as driver:
        answer = await driver.request("GET", "/responses/openapi.json")
    assert (answer.status, answer.json()["error"]["param"]) == (404, "response_id")


@pytest.mark.parametrize("openapi", ["", "/", "openapi.json", "/{x}"])
def test_a_path_that_is_none_is_refused_at_construction(openapi: str) -> None:
    with pytest.raises(ConfigurationError, match="openapi"):
        ResponsesChannel(openapi=openapi)


async def test_the_document_is_for_those_who_may_call() -> None:
    async def nobody(_: HTTPConnection) -> None:
        return None

    host = AgentFrameworkHost(ScriptedAgent(), channels=[ResponsesChannel()], auth=nobody)
    async with InMemoryDriver(host.app) as driver:
        answer = await driver.request("GET", "/v1/responses/openapi.json")
    assert answer.status == 401
    fits("ErrorBody").validate(answer.json())


async def test_what_is_answered_fits_the_document() -> None:
    """Statuses, bodies and headers of every operation, found by walking through all of them."""
    conversation: dict[str, str] = {}
    async with InMemoryDriver(hosting().app) as driver:

        async def ask(method: str, path: str, template: str, body: Any = None) -> Any:
            answer = await driver.request(method, path, json=body)
            told = DESCRIBED["paths"][template][method.lower()]["responses"][str(answer.status)]
            kind = answer.headers["content-type"]
            (schema,) = (each["schema"] for name, each in told["content"].items() if kind.startswith(name))
            whole = Draft202012Validator({**schema, "components": DESCRIBED["components"]})
            if kind == "application/json":
                whole.validate(answer.json())
            else:
                for event in answer.events():
                    check_sent(event)
            assert "x-request-id" in told["headers"]
            assert "x-request-id" in answer.headers
            return None if kind != "application/json" else answer.json()

        at, talk, items = "/v1/responses", "/v1/conversations", "/v1/conversations/{conversation_id}/items"
        conversation = await ask("POST", talk, talk, {"items": [{"role": "user", "content": "I like tea."}]})
        body = {"input": "What?", "conversation": conversation["id"]}
        made = await ask("POST", at, at, body)
        await ask("POST", at, at, {**body, "stream": True})
        await ask("POST", at, at, {**body, "temperature": 9})
        await ask("GET", f"{at}/{made['id']}", f"{at}/{{response_id}}")
        await ask("GET", f"{at}/{made['id']}?stream=true", f"{at}/{{response_id}}")
        await ask("GET", f"{at}/{made['id']}/input_items", f"{at}/{{response_id}}/input_items")
        await ask("POST", f"{at}/{made['id']}/cancel", f"{at}/{{response_id}}/cancel")
        await ask("POST", f"{at}/input_tokens", f"{at}/input_tokens", {"input": "a"})
        packed = {"model": "agent", "previous_response_id": made["id"]}
        await ask("POST", f"{at}/compact", f"{at}/compact", packed)
        one = f"{talk}/{conversation['id']}"
        listed = await ask("GET", f"{one}/items?order=asc", items)
        await ask("GET", f"{one}/items/{listed['data'][0]['id']}", f"{items}/{{item_id}}")
        await ask("DELETE", f"{one}/items/{listed['data'][0]['id']}", f"{items}/{{item_id}}")
        more = await ask("POST", f"{one}/items", items, {"items": [{"role": "user", "content": "More."}]})
        await ask("DELETE", f"{one}/items/{more['data'][0]['id']}", f"{items}/{{item_id}}")
        await ask("POST", one, f"{talk}/{{conversation_id}}", {"metadata": {"a": "b"}})
        await ask("GET", one, f"{talk}/{{conversation_id}}")
        await ask("DELETE", one, f"{talk}/{{conversation_id}}")
        await ask("GET", one, f"{talk}/{{conversation_id}}")
        await ask("DELETE", f"{at}/{made['id']}", f"{at}/{{response_id}}")
        await ask("GET", "/v1/models", "/v1/models")
        await ask("GET", "/v1/models/agent", "/v1/models/{model}")


TEXTS: Final = st.sampled_from(["", "auto", "low", "text", "default", "24h", "reasoning.encrypted_content", "a" * 70])
MEMBERS: Final = st.sampled_from(["id", "type", "effort", "format", "verbosity", "name", "k"])
VALUES: Final = st.recursive(
    st.booleans() | st.integers(-3, 30) | st.floats(-3.5, 3.5).filter(lambda x: not x.is_integer()) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["id", "type", "effort", "format", "verbosity", "name", "k"]), inner, max_size=3
        )
    ),
    max_leaves=4,
)


def is_taken(read: Callable[[], object]) -> bool:
    try:
        read()
    except RequestError:
        return False
    return True


ALONE: Final = sorted(FIELDS.keys() - {"input", "tools", "tool_choice"})
"""Fields that say what they take by themselves; the others have their examples below."""
PROPERTIES: Final[Mapping[str, Any]] = DESCRIBED["components"]["schemas"]["CreateResponse"]["properties"]
BY_FIELD: Final = {
    field: Draft202012Validator({**schema, "components": DESCRIBED["components"]})
    for field, schema in PROPERTIES.items()
}


@settings(max_examples=max(500, settings().max_examples))
@given(st.sampled_from(ALONE), VALUES)
def test_a_field_is_described_as_it_is_checked(field: str, value: Any) -> None:
    assert BY_FIELD[field].is_valid(value) == is_taken(lambda: FIELDS[field](value, field))


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_every_field_may_be_null(field: str) -> None:
    assert BY_FIELD[field].is_valid(None)


CALL: Final = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
ANSWER: Final = {"type": "function_call_output", "call_id": "c", "output": "x"}
PICTURE: Final = "data:image/png;base64,iVBORw0KGgo="


def said(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": [*parts]}


ITEMS: Final[list[tuple[list[Any], bool]]] = [
    ([{"role": "user", "content": "a"}], True),
    ([{"type": "message", "role": "developer", "content": "a"}], True),
    ([{"role": "king", "content": "a"}], False),
    ([{"role": "user"}], False),
    ([{"role": "user", "content": 5}], False),
    ([said({"type": "input_text", "text": "a"})], True),
    ([said({"type": "input_text"})], False),
    ([said({"type": "refusal", "refusal": "no"}, role="assistant")], True),
    ([said({"type": "refusal", "refusal": "no"})], False),
    ([said({"type": "input_image", "image_url": PICTURE, "detail": "low"})], True),
    ([said({"type": "input_image", "file_id": "f"})], True),
    ([said({"type": "input_image"})], False),
    ([said({"type": "input_image", "image_url": PICTURE, "detail": "blurred"})], False),
    ([said({"type": "input_file", "file_id": "f", "filename": "a.pdf"})], True),
    ([said({"type": "input_file", "file_id": "f", "file_url": "https://a/b"})], False),
    ([said({"type": "input_file", "filename": "a.pdf"})], False),
    ([said({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}})], True),
    ([said({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "ogg"}})], False),
    ([said({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}, role="assistant")], False),
    ([CALL, ANSWER], True),
    ([{**CALL, "call_id": ""}, ANSWER], False),
    ([{**CALL, "arguments": {}}, ANSWER], False),
    ([CALL, {**ANSWER, "output": [{"type": "input_text", "text": "a"}]}], True),
    ([CALL, {**ANSWER, "output": [{"type": "input_audio"}]}], False),
    ([{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "a"}], True),
    ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]}], True),
    ([{"type": "reasoning", "summary": [{"type": "reasoning_text", "text": "a"}]}], False),
    ([{"type": "mcp_approval_response", "approval_request_id": "r", "approve": True}], True),
    ([{"type": "mcp_approval_response", "approval_request_id": "r"}], False),
    ([{"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "output": "a"}], True),
    ([{"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "error": 5}], False),
    ([{"type": "code_interpreter_call", "id": "i", "outputs": [{"type": "logs", "logs": "a"}]}], True),
    ([{"type": "code_interpreter_call", "id": "i", "outputs": [{"type": "song"}]}], False),
    ([{"type": "web_search_call", "id": "i", "action": {"type": "search"}}], True),
    ([{"type": "web_search_call", "id": "i", "action": "search"}], False),
    ([{"type": "shell_call", "call_id": "c", "action": {}}], True),
    ([{"type": "shell_call", "call_id": "c"}], False),
    ([{"type": "program"}], True),
    ([{"type": "poem"}], False),
    (["a"], False),
]


@pytest.mark.parametrize(("items", "good"), ITEMS)
def test_an_item_is_described_as_it_is_read(items: list[Any], good: bool) -> None:
    assert is_taken(lambda: read_input(items)) == good
    assert all(map(fits("InputItem").is_valid, items)) == good


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ({"input": "a"}, True),
        ({"previous_response_id": "resp_1"}, True),
        ({"conversation": "conv_1"}, True),
        ({"input": ""}, False),
        ({"input": []}, False),
        ({"input": None}, False),
        ({}, False),
        ({"input": "a", "previous_response_id": "r", "conversation": "c"}, False),
        ({"input": "a", "colour": "red"}, False),
        ({"input": "a", "prompt": {"id": "p"}}, False),
        ({"input": "a", "tools": [{"type": "function", "name": "f"}]}, True),
        ({"input": "a", "tools": [{"type": "function", "name": "f", "format": {"type": "text"}}]}, False),
        ({"input": "a", "tools": [{"type": "custom", "name": "f", "format": {"type": "text"}}]}, True),
        ({"input": "a", "tools": [{"type": "custom", "name": "f", "format": {"type": "grammar"}}]}, False),
        ({"input": "a", "tools": [{"type": "web_search"}]}, False),
        ({"input": "a", "tool_choice": "required"}, True),
        ({"input": "a", "tool_choice": "sometimes"}, False),
        ({"input": "a", "tool_choice": {"type": "function", "name": "f"}}, True),
        ({"input": "a", "tool_choice": {"type": "file_search"}}, False),
    ],
)
def test_a_body_is_described_as_it_is_read(body: dict[str, Any], good: bool) -> None:
    assert fits("CreateResponse").is_valid(body) == good


def test_every_event_of_the_vocabulary_is_an_event_of_the_stream() -> None:
    *events, _ = DESCRIBED["components"]["schemas"]["StreamEvent"]["oneOf"]
    assert [each["properties"]["event"]["const"] for each in events] == [*EVENTS]


def test_what_is_not_described_is_noticed() -> None:
    for event in ({"type": "response.sung"}, {"type": "response.mcp_call.failed", "item_id": "i", "output_index": "0"}):
        with pytest.raises((AssertionError, ValueError)):
            check_described(event)
    assert "Step" in SEEN
