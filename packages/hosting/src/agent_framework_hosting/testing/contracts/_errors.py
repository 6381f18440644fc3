"""What goes wrong is told in the channel's words, and without the server's inside."""

from __future__ import annotations

import asyncio

import pytest

from ...errors import InvalidRequest
from ...types import ChannelRequest
from .._agent import ScriptedAgent
from .._gate import Gate
from .._script import recall
from ._adapter import HTTPAdapter, Line
from ._suite import SECRET, ChannelSuite, assert_refused


class Errors(ChannelSuite):
    """An agent that fails, a hook that refuses, a line that is full, a database that is away."""

    async def test_a_failing_agent_is_an_error_that_tells_nothing_of_it(self) -> None:
        async with self.serve(ScriptedAgent(RuntimeError(SECRET), every=recall)) as served:
            assert_refused(served.adapter, await served.tell(Line(), "hello"), 500)

    async def test_an_agent_that_fails_in_mid_stream_ends_it_with_an_error_that_tells_nothing_of_it(self) -> None:
        self.needs("streaming")
        async with self.serve(ScriptedAgent(["Well, ", RuntimeError(SECRET)], every=recall)) as served:
            heard = await served.hear(Line(), "hello")
            assert_refused(served.adapter, heard.said, 200, 500)

    async def test_a_hook_that_fails_is_an_error_that_tells_nothing_of_it(self) -> None:
        def fail(_: ChannelRequest, **__: object) -> ChannelRequest:
            raise RuntimeError(SECRET)

        async with self.serve(options={"run_hook": fail}) as served:
            assert_refused(served.adapter, await served.tell(Line(), "hello"), 500)
            assert served.agent.runs == []

    async def test_a_hook_that_refuses_is_heard(self) -> None:
        self.needs("refusals")

        def refuse(_: ChannelRequest, **__: object) -> ChannelRequest:
            raise InvalidRequest("Not on a Sunday.")

        async with self.serve(options={"run_hook": refuse}) as served:
            said = await served.tell(Line(), "hello")
            assert_refused(served.adapter, said, 400)
            assert b"Not on a Sunday." in said.wire

    async def test_a_method_that_is_not_offered_is_refused_in_the_channels_words(self) -> None:
        async with self.serve() as served:
            adapter = served.adapter
            if not isinstance(adapter, HTTPAdapter):
                pytest.skip("The channel is not one endpoint of plain HTTP.")
            answer = await served.driver.request("PATCH", adapter.at, body=b"{}")
            assert_refused(adapter, adapter.said(answer), 404, 405)

    async def test_a_full_line_is_told_to_come_again(self) -> None:
        self.needs("conversations", "refusals")
        gate = Gate("work")
        async with self.serve(ScriptedAgent(every=lambda run: [gate, *recall(run)]), max_waiting=1) as served:
            telling = [asyncio.create_task(served.tell(Line(), "first"))]
            await gate.wait_reached(timeout=self.patience)
            telling.append(asyncio.create_task(served.tell(Line(), "second")))
            await served.store.wait_accepted(2, timeout=self.patience)
            assert_refused(served.adapter, await served.tell(Line(), "third"), 429)
            gate.open()
            assert [said.error for said in await asyncio.gather(*telling)] == [None, None]

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    async def test_an_answer_that_could_not_be_stored_is_not_told_as_one(self, stream: bool) -> None:
        if stream:
            self.needs("streaming")
        async with self.serve() as served:
            served.store.is_broken = True
            said = (await served.hear(Line(), "hello")).said if stream else await served.tell(Line(), "hello")
            assert_refused(served.adapter, said, 200 if stream else 503)
            served.store.is_broken = False
            assert (await served.tell(Line(name="later"), "again")).error is None
