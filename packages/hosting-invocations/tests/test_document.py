"""The OpenAPI document describes what is really taken and sent."""

# No `from __future__ import annotations`: Agent Framework reads the types of handlers while their class is made.
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from agent_framework import Content, Executor, Message, WorkflowBuilder, WorkflowContext, handler
from invocation_parts import hosting, invoke, refused, serving
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Mount

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent, ServerSentEvent
from agent_framework_hosting_invocations.channel import InvocationsChannel
from agent_framework_hosting_invocations.vocabulary import Invocation, InvocationBody

EVENTS = ["started", "message", "delta", "part", "request", "completed", "input_required", "failed", "cancelled"]


class Guest(BaseModel):
    """Who comes."""

    name: str
    host: "Guest | None" = None


@dataclass
class Text:
    """Called as a type of the protocol's is."""

    guests: list[Guest]
    note: Message


class Start(Executor):
    """Takes a few types."""

    @handler
    async def take(self, given: Text | int, ctx: WorkflowContext[Any, Any]) -> None:
        """Ask, or say."""
        if given == 0:
            await ctx.request_info("how many?", int)
        await ctx.yield_output(given)


def build() -> Any:
    return WorkflowBuilder(start_executor=Start(id="start"), name="guests").build()


async def document(driver: InMemoryDriver) -> dict[str, Any]:
    answer = await driver.request("GET", "/invocations/openapi.json")
    assert answer.status == 200
    return answer.json()


def check_schema(schema: Any) -> None:
    checks: Any = Draft202012Validator
    checks.check_schema(schema)


def validator(described: dict[str, Any], name: str) -> Any:
    """Return what checks a value by one of the document's schemas."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
    check_schema(schema)
    checks: Any = Draft202012Validator
    return checks(schema)


def check_event(described: dict[str, Any], event: ServerSentEvent) -> None:
    validator(described, "Event").validate({"event": event.event, "data": event.data})
    kinds = [each["properties"] for each in described["components"]["schemas"]["Event"]["oneOf"]]
    [data] = [each["data"]["contentSchema"] for each in kinds if each["event"]["const"] == event.event]
    validator(described, data["$ref"].rpartition("/")[2]).validate(event.json())


def references(value: Any) -> set[str]:
    """Return all names that are referred to inside of a document."""
    return set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(value)))


@pytest.mark.parametrize("target", [ScriptedAgent, lambda: build], ids=["agent", "workflow"])
async def test_nothing_is_referred_to_that_is_not_there_and_every_schema_is_one(target: Callable[[], Any]) -> None:
    async with serving(target()) as driver:
        described = await document(driver)
    assert described["openapi"].startswith("3.1")
    schemas = described["components"]["schemas"]
    assert references(described) <= schemas.keys()
    for schema in schemas.values():
        check_schema(schema)


async def test_real_answers_and_events_fit_the_document() -> None:
    usage = Content.from_usage({"input_token_count": 3, "output_token_count": 4})
    picture = Content.from_uri("https://example.com/a.png", media_type="image/png")
    agent = ScriptedAgent(["a", picture, usage], ["b", picture], RuntimeError("gone"), ["c", RuntimeError("gone")])
    async with serving(agent) as driver:
        described = await document(driver)
        validator(described, "Invocation").validate((await invoke(driver, "hi")).json())
        for event in (await invoke(driver, "hi", stream=True)).events():
            check_event(described, event)
        problem = await invoke(driver, "hi")
        validator(described, "Problem").validate(problem.json())
        told = described["paths"]["/invocations"]["post"]["responses"]
        assert str(problem.status) in told
        assert problem.headers["content-type"] in told["500"]["content"]
        for event in (await invoke(driver, "hi", stream=True)).events():
            check_event(described, event)


async def test_what_a_workflow_asks_and_gives_fits_the_document() -> None:
    async with serving(build) as driver:
        described = await document(driver)
        for given in (0, 3, {"guests": [{"name": "Ada"}], "note": {"content": "hi"}}):
            answer = await invoke(driver, given)
            assert answer.status == 200, answer
            validator(described, "Invocation").validate(answer.json())
            for event in (await invoke(driver, given, stream=True)).events():
                check_event(described, event)


BODIES: list[tuple[dict[str, Any], bool]] = [
    ({"input": 5}, True),
    ({"input": {"guests": [{"name": "Ada", "host": {"name": "Bob"}}], "note": {"content": "hi"}}}, True),
    ({"responses": [{"request_id": "r", "approved": True}]}, True),
    ({"input": "text"}, False),
    ({"input": {"guests": [{}], "note": {"content": "hi"}}}, False),
    ({"input": {"guests": [], "note": {"role": "system", "content": "hi"}}}, False),
    ({"input": 5, "loud": True}, False),
    ({}, False),
]


@pytest.mark.parametrize(("body", "fits"), BODIES)
async def test_the_document_says_what_the_workflow_takes(body: dict[str, Any], fits: bool) -> None:
    async with serving(build) as driver:
        described = await document(driver)
        answer = await driver.request("POST", "/invocations", json=body)
    assert validator(described, "InvocationBody").is_valid(body) == fits
    unknown = answer.status == 400 and "asks nothing" in answer.json()["detail"]
    assert (answer.status == 200 or unknown) == fits


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"input": "hi"}, True),
        ({"input": [{"content": [{"type": "file", "url": "https://example.com/a.png"}]}]}, True),
        ({"input": [{"content": "hi", "role": None, "author": None}]}, True),
        ({"input": [{"content": "hi", "role": "system"}]}, False),
        ({"input": ""}, False),
        ({"input": []}, False),
        ({"input": {"a": 1}}, False),
    ],
)
async def test_the_document_says_what_an_agent_takes(body: dict[str, Any], fits: bool) -> None:
    async with serving(ScriptedAgent(every="ok")) as driver:
        described = await document(driver)
        answer = await driver.request("POST", "/invocations", json=body)
    assert validator(described, "InvocationBody").is_valid(body) == (answer.status == 200) == fits


async def test_the_document_names_where_it_is_mounted() -> None:
    app = Starlette(routes=[Mount("/agents", hosting(ScriptedAgent(), path="/run").app)])
    async with InMemoryDriver(app, lifespan=False) as driver:
        described = (await driver.request("GET", "/agents/run/openapi.json")).json()
    assert described["servers"] == [{"url": "/agents"}]
    assert list(described["paths"]) == ["/run"]


async def test_the_document_can_be_elsewhere_or_nowhere() -> None:
    async with serving(ScriptedAgent(), openapi="/docs/openapi.json") as driver:
        assert (await driver.request("GET", "/invocations/docs/openapi.json")).status == 200
    async with serving(ScriptedAgent(), openapi=None) as driver:
        answer = await driver.request("GET", "/invocations/openapi.json")
    assert refused(answer) == (404, "not_found", None)


@pytest.mark.parametrize("openapi", ["", "/", "openapi.json", "/{x}"])
def test_a_path_that_is_none_is_refused_at_construction(openapi: str) -> None:
    with pytest.raises(ConfigurationError, match="openapi"):
        InvocationsChannel(openapi=openapi)


def test_the_readme_shows_every_event_and_member() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    members = [*msgspec.structs.fields(InvocationBody), *msgspec.structs.fields(Invocation)]
    for word in [*EVENTS, *(member.name for member in members)]:
        assert f"`{word}`" in readme or f'"{word}"' in readme, word
