"""What is shown while the answer is made agrees with the answer."""

from __future__ import annotations

import asyncio

from hypothesis import strategies as st

from .._agent import ScriptedAgent
from .._gate import Gate
from ._adapter import Line
from ._suite import ChannelSuite

_PIECES = [
    ["Hel", "lo"],
    ["one piece"],
    [" ", "a", " "],
    ["👩‍", "👩‍👧"],
    ["line\n", "\nline"],
    ["<b>", "&amp;", "</b>"],
    ["x" * 20_000, "y"],
]


class Streams(ChannelSuite):
    """Streams show the answer as it is made, and end as the whole answer would."""

    async def test_a_streamed_answer_is_the_whole_answer(self) -> None:
        self.needs("streaming")
        script: list[list[str]] = []
        async with self.serve(ScriptedAgent(every=lambda _: script[-1])) as served:

            async def agree(pieces: list[str]) -> None:
                script.append(pieces)
                heard = await served.hear(Line(name=f"stream {len(script)}"), "go")
                whole = await served.answer(Line(name=f"whole {len(script)}"), "go")
                assert heard.said.error is None, f"The stream ended with an error: {heard.said.wire!r}"
                assert heard.shown[-1:] == [whole], "What was shown last is not the whole answer."
                assert heard.said.text == whole, "What the stream says at its end is not the whole answer."

            pieces = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5).filter(
                lambda pieces: bool("".join(pieces).strip())
            )
            await self.each(pieces, agree, examples=_PIECES, share=4)

    async def test_a_stream_shows_the_answer_while_it_is_made(self) -> None:
        self.needs("streaming")
        gate = Gate("the rest")
        shown = asyncio.Event()
        async with self.serve(ScriptedAgent(["The beginning", gate, " and the end"])) as served:
            hearing = asyncio.create_task(served.hear(Line(), "go", on_piece=lambda _: shown.set()))
            async with asyncio.timeout(self.patience):
                await shown.wait()
            gate.open()
            heard = await hearing
            assert heard.shown[0] == "The beginning"
            assert heard.said.text == "The beginning and the end"
