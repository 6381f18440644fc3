"""The list of models: one for all channels that declare it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.routing import Route

from agent_framework_hosting.channel import ChannelContext, ChannelContribution, SiblingRoute
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent
from agent_framework_hosting.web.models import MODELS, model_name, model_routes


@dataclass
class Listing:
    """A channel that does nothing but list its model."""

    name: str
    path: str
    prefix: str = "/v1"
    model: Callable[[ChannelContext], str] = lambda context: model_name(context.target)

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        routes: list[Route] = model_routes(self.prefix, name=lambda: self.model(context))
        return ChannelContribution(siblings=[SiblingRoute(route, shared_as=MODELS) for route in routes])


def serving(*channels: Listing, agent_name: str | None = "shop") -> InMemoryDriver:
    return InMemoryDriver(AgentFrameworkHost(ScriptedAgent(name=agent_name), channels=list(channels)).app)


async def test_the_agent_is_the_one_model() -> None:
    """At the path with and without a slash, and under its own name."""
    async with serving(Listing("one", "/one")) as driver:
        answers = [await driver.request("GET", path) for path in ("/v1/models", "/v1/models/")]
        one = (await driver.request("GET", "/v1/models/shop")).json()
    assert [answer.json()["data"] for answer in answers] == [[one], [one]]
    assert (one["id"], one["object"], answers[0].json()["object"]) == ("shop", "model", "list")


async def test_an_agent_without_a_name_is_called_agent() -> None:
    async with serving(Listing("one", "/one"), agent_name=None) as driver:
        assert (await driver.request("GET", "/v1/models")).json()["data"][0]["id"] == "agent"


async def test_a_name_with_slashes_is_found() -> None:
    """As many models are called."""
    async with serving(Listing("one", "/one", model=lambda _: "shops/keeper")) as driver:
        assert (await driver.request("GET", "/v1/models/shops/keeper")).json()["id"] == "shops/keeper"


async def test_another_name_is_unknown() -> None:
    async with serving(Listing("one", "/one")) as driver:
        answer = await driver.request("GET", "/v1/models/" + "x" * 200)
    assert (answer.status, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert "x" * 65 not in answer.text


async def test_nothing_can_be_posted_to_it() -> None:
    async with serving(Listing("one", "/one")) as driver:
        answer = await driver.request("POST", "/v1/models")
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


async def test_channels_share_one_list_at_one_path_and_have_others_elsewhere() -> None:
    """The first channel's list is served."""
    channels = [
        Listing("one", "/one", model=lambda _: "first"),
        Listing("two", "/two", model=lambda _: "second"),
        Listing("three", "/three", prefix="/other", model=lambda _: "third"),
    ]
    async with serving(*channels) as driver:
        here = (await driver.request("GET", "/v1/models")).json()
        elsewhere = (await driver.request("GET", "/other/models")).json()
    assert [[model["id"] for model in models["data"]] for models in (here, elsewhere)] == [["first"], ["third"]]
