"""A conversation goes on, and is nobody else's."""

from __future__ import annotations

from .._agent import ScriptedAgent
from .._script import recall
from ._adapter import Line
from ._suite import SECRET, ChannelSuite, assert_refused


class Continuity(ChannelSuite):
    """The second turn sees the first, another conversation does not; starting anew; going on from an id."""

    async def test_the_second_turn_sees_the_first(self) -> None:
        async with self.serve() as served:
            line = Line()
            assert await served.answer(line, "one") == "one"
            assert await served.answer(line, "two") == "one | two"
            assert await served.answer(line, "three") == "one | two | three"

    async def test_a_streamed_turn_is_part_of_the_conversation(self) -> None:
        self.needs("streaming")
        async with self.serve() as served:
            line = Line()
            assert (await served.hear(line, "one")).said.text == "one"
            assert await served.answer(line, "two") == "one | two"
            assert (await served.hear(line, "three")).said.text == "one | two | three"

    async def test_another_conversation_sees_nothing_of_it(self) -> None:
        async with self.serve() as served:
            lobby, garden = Line(name="lobby"), Line(name="garden")
            await served.answer(lobby, "one")
            assert await served.answer(garden, "two") == "two"
            assert await served.answer(lobby, "three") == "one | three"

    async def test_a_conversation_that_was_reset_begins_anew(self) -> None:
        self.needs("reset")
        async with self.serve() as served:
            line = Line()
            await served.answer(line, "one")
            await served.adapter.reset(line)
            line.said.clear()
            assert await served.answer(line, "two") == "two"
            assert await served.answer(line, "three") == "two | three"

    async def test_a_turn_that_failed_is_no_part_of_the_conversation(self) -> None:
        async with self.serve(ScriptedAgent(recall, RuntimeError(SECRET), every=recall)) as served:
            line = Line()
            await served.answer(line, "one")
            assert (await served.tell(line, "two")).error is not None
            assert await served.answer(line, "three") == "one | three"

    async def test_an_older_answer_can_be_continued_and_sees_what_was_before_it(self) -> None:
        self.needs("ids")
        async with self.serve() as served:
            line = Line()
            await served.answer(line, "one")
            fork = Line(after=line.last_id)
            await served.answer(line, "two")
            assert await served.answer(fork, "three") == "one | three"

    async def test_an_id_that_is_unknown_is_refused_and_nothing_is_run(self) -> None:
        self.needs("ids", "refusals")
        async with self.serve() as served:
            assert_refused(served.adapter, await served.tell(Line(after=served.adapter.unknown_id), "hello"), 400, 404)
            assert served.agent.runs == []

    async def test_an_answer_can_be_read_again_as_it_was(self) -> None:
        self.needs("ids", "reading")
        async with self.serve() as served:
            line = Line()
            said = await served.tell(line, "one")
            assert said.id is not None
            assert (await served.adapter.look_up(line, said.id)).text == said.text
