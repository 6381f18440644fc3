"""What belongs to one caller is for all others not there."""

from __future__ import annotations

from ._adapter import ChannelAdapter, Line, Said
from ._suite import ChannelSuite, Served, assert_clean, assert_refused, by_name

_NOBODY = (401, 403, 404)


class Ownership(ChannelSuite):
    """Strangers, other callers' conversations, and their ids: the same bytes as for what does not exist."""

    async def test_whoever_is_nobody_is_refused_and_nothing_is_run(self) -> None:
        async with self.serve(auth=by_name) as served:
            said = await served.adapter.knock()
            assert said.error is not None, f"A stranger was served: {said}, {said.wire!r}"
            assert said.status is None or said.status in _NOBODY, f"A stranger is answered with {said.status}."
            assert_clean(said)
            assert served.agent.runs == []

    async def test_callers_are_served_each_as_themselves(self) -> None:
        self.needs("auth")
        async with self.serve(auth=by_name) as served:
            ada = Line(name="ada's", caller="ada")
            await served.answer(ada, "one")
            assert await served.answer(ada, "two") == "one | two"
            assert await served.answer(Line(name="bob's", caller="bob"), "three") == "three"

    async def test_another_callers_conversation_of_the_same_name_is_another_one(self) -> None:
        self.needs("auth", "conversations", "private")
        async with self.serve(auth=by_name) as served:
            await served.answer(Line(caller="ada"), "mine")
            assert await served.answer(Line(caller="bob"), "mine, too") == "mine, too"

    async def test_continuing_another_callers_answer_is_like_continuing_an_unknown_one(self) -> None:
        self.needs("auth", "ids", "refusals")
        async with self.serve(auth=by_name) as served:
            adapter, foreign = served.adapter, await _id_of_ada(served)
            runs = len(served.agent.runs)
            his = await adapter.say(Line(caller="bob", after=foreign), "and?")
            unknown = await adapter.say(Line(caller="bob", after=adapter.unknown_id), "and?")
            assert_refused(adapter, his, 400, 404)
            assert _told(adapter, his, foreign) == _told(adapter, unknown, adapter.unknown_id)
            assert len(served.agent.runs) == runs

    async def test_reading_another_callers_answer_is_like_reading_an_unknown_one(self) -> None:
        self.needs("auth", "ids", "reading", "refusals")
        async with self.serve(auth=by_name) as served:
            adapter, foreign = served.adapter, await _id_of_ada(served)
            his = await adapter.look_up(Line(caller="bob"), foreign)
            unknown = await adapter.look_up(Line(caller="bob"), adapter.unknown_id)
            assert_refused(adapter, his, 404)
            assert _told(adapter, his, foreign) == _told(adapter, unknown, adapter.unknown_id)


async def _id_of_ada(served: Served) -> str:
    said = await served.tell(Line(caller="ada"), "my secret")
    assert said.id is not None, f"An answer has no id: {said}"
    return said.id


def _told(adapter: ChannelAdapter, said: Said, asked_for: str) -> tuple[int | None, str | None, bytes]:
    """Return what was told apart from the id that was asked for, and from the ids of requests and incidents."""
    wire = adapter.volatile.sub(b"...", said.wire.replace(asked_for.encode(), b"ID"))
    return said.status, said.error, wire
