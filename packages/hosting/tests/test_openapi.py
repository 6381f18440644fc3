"""What OpenAPI documents are put together from."""

from __future__ import annotations

import msgspec
from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent
from agent_framework_hosting.web.endpoint import Endpoint
from agent_framework_hosting.web.openapi import OpenApiDocument, answer, reference, schemas


class Leaf(msgspec.Struct):
    """A leaf."""

    name: str


class Tree(msgspec.Struct):
    """A tree."""

    leaves: list[Leaf]


def test_schemas_bring_all_that_they_refer_to() -> None:
    named = schemas([Tree])
    assert named.keys() == {"Tree", "Leaf"}
    assert named["Tree"]["properties"]["leaves"]["items"] == reference(Leaf)
    assert reference(Leaf) == {"$ref": "#/components/schemas/Leaf"}


def test_an_answer_says_its_bodies_and_headers() -> None:
    described = answer("Fine.", {"application/json": reference(Leaf)}, headers=["x-request-id"])
    assert described["content"]["application/json"]["schema"] == reference(Leaf)
    assert list(described["headers"]) == ["x-request-id"]


async def test_a_document_is_made_with_each_request() -> None:
    titles = iter(["one", "two"])

    class Documented:
        name, path = "documented", "/documented"

        def contribute(self, context: ChannelContext) -> ChannelContribution:
            document = OpenApiDocument(lambda: {"info": {"title": next(titles), "version": "1"}, "paths": {}})
            return ChannelContribution(routes=[Route("/", Endpoint({"GET": document}))])

    async with InMemoryDriver(AgentFrameworkHost(ScriptedAgent(), channels=[Documented()]).app) as driver:
        first, second = [(await driver.request("GET", "/documented")).json() for _ in range(2)]
    assert first == {
        "openapi": "3.1.0",
        "servers": [{"url": "/"}],
        "info": {"title": "one", "version": "1"},
        "paths": {},
    }
    assert second["info"]["title"] == "two"
