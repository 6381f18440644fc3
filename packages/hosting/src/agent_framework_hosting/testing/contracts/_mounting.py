"""The channel answers where it was put."""

from __future__ import annotations

from typing import get_args

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from ...errors import ConfigurationError
from ...host import AgentFrameworkHost
from .._agent import ScriptedAgent
from ._adapter import Capability, Line
from ._suite import ChannelSuite, Served


class Mounting(ChannelSuite):
    """Own path, another path, the root, a prefix in somebody else's app, a slash at the end, clashes."""

    def test_what_it_lacks_is_called_as_the_contract_calls_it_and_has_a_reason(self) -> None:
        assert set(self.adapter.lacks) <= set(get_args(Capability))
        assert all(self.adapter.lacks.values())

    async def test_it_answers_at_its_own_path(self) -> None:
        async with self.serve() as served:
            await _answers(served)

    async def test_it_answers_with_a_slash_at_its_end(self) -> None:
        self.needs("slash")
        async with self.serve() as served:
            served.adapter.at += "/"
            await _answers(served)

    @pytest.mark.parametrize("path", ["/elsewhere", "/deep/down", ""], ids=["short", "deep", "root"])
    async def test_it_answers_at_a_path_of_ones_choice(self, path: str) -> None:
        self.needs("paths")
        async with self.serve(options={"path": path}) as served:
            if not path:
                served.adapter.at = "/" if "slash" not in served.adapter.lacks else ""
            await _answers(served)

    async def test_it_answers_inside_a_starlette_app(self) -> None:
        def wrap(host: AgentFrameworkHost) -> ASGIApp:
            return Starlette(routes=[Mount("/apps/one", app=host.app)], lifespan=host.lifespan)

        async with self.serve(wrap=wrap, under="/apps/one") as served:
            await _answers(served)

    async def test_it_answers_inside_a_fastapi_app(self) -> None:
        fastapi = pytest.importorskip("fastapi", reason="FastAPI is not installed, so it cannot be mounted in it.")

        def wrap(host: AgentFrameworkHost) -> ASGIApp:
            app = fastapi.FastAPI(lifespan=host.lifespan)
            app.mount("/agent", host.app)
            return app

        async with self.serve(wrap=wrap, under="/agent") as served:
            await _answers(served)

    async def test_it_leaves_the_probes_of_the_host_alone(self) -> None:
        options = {} if "paths" in self.adapter.lacks else {"path": ""}
        async with self.serve(options=options) as served:
            answer = await served.driver.request("GET", "/readiness")
            assert (answer.status, answer.text) == (200, "ok")

    async def test_two_of_it_in_one_place_are_refused(self) -> None:
        async with self.adapter() as adapter:
            channels = [adapter.make(), adapter.make()]
            with pytest.raises(ConfigurationError):
                AgentFrameworkHost(ScriptedAgent(), channels=channels)


async def _answers(served: Served) -> None:
    assert await served.answer(Line(), "hello") == "hello"
