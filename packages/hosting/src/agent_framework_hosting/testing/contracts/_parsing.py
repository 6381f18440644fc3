"""Whatever is sent is answered or refused: never a failure of the server, never its inside, never silence."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ...limits import Limits
from ._adapter import Line, Said
from ._suite import ChannelSuite, Served, assert_clean, assert_refused, no_failure_logged

_NO_JSON: Final = [b"", b"{", b"]", b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b'{"a": }', b"\x00", b"GET / HTTP/1.1\r\n\r\n"]
_ODD_JSON: Final = [
    *(
        b"null",
        b"[]",
        b"{}",
        b'""',
        b"0",
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"": ""}',
        b'{"a": "\\ud800"}',
    ),
    b'{"a": ' + b"9" * 5_000 + b"}",
    b"[" * 50_000,
    b'{"a":' * 50_000,
    b"[" * 500 + b"]" * 500,
]
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_ODD_VALUES: Final[list[Any]] = [None, "\ud800", [], {}, -1, 1e308, "x" * 5_000, [[[[]]]]]
_SERVER_SIDE: Final = 500
_TOO_LONG: Final = 20_000


class Parsing(ChannelSuite):
    """Good texts, near misses, and bytes from anywhere."""

    async def test_any_text_reaches_the_agent_as_it_was(self) -> None:
        async with self.serve() as served:

            async def arrives(text: str) -> None:
                before = len(served.agent.runs)
                said = await served.adapter.say(Line(name=f"talk {before}"), text)
                if said.error is None:
                    assert served.agent.runs[before].messages[-1].text == text
                else:
                    assert_refused(served.adapter, said, 400, 413, 422)

            odd = ["ein Köter", "👩‍👩‍👧", "<b>&amp;", "a\nb\tc", "\x00\x1f", "x" * 5_000]
            await self.each(self.texts(), arrives, examples=odd, share=2)

    async def test_any_bytes_are_answered_or_refused(self) -> None:
        async with self.serve() as served:
            await self.each(st.binary(max_size=60), _taken_by(served), examples=[*_NO_JSON, *_ODD_JSON], share=2)
            await _still_works(served)

    async def test_any_json_near_a_good_message_is_answered_or_refused(self) -> None:
        async with self.serve() as served:
            taken = _taken_by(served)

            async def check(value: Any) -> None:
                await taken(json.dumps(value).encode())

            good = [served.adapter.message(Line(), "hi", stream=stream) for stream in (False, True)]
            odd = [_everywhere(good[0], value) for value in _ODD_VALUES]
            await self.each(st.sampled_from(good).flatmap(near) | _JSON, check, examples=odd, share=2)
            await _still_works(served)

    async def test_what_is_no_json_is_refused_in_the_channels_words(self) -> None:
        self.needs("refusals")
        async with self.serve() as served:
            for body in _NO_JSON:
                assert_refused(served.adapter, await served.adapter.send(Line(), body), 400, 415, 422)
            assert served.agent.runs == []

    async def test_a_message_that_is_too_large_is_refused(self) -> None:
        self.needs("refusals")
        async with self.serve(limits=Limits(max_request_bytes=_TOO_LONG // 2)) as served:
            assert_refused(served.adapter, await served.adapter.say(Line(), "x" * _TOO_LONG), 400, 413)
            assert served.agent.runs == []

    def texts(self) -> SearchStrategy[str]:
        """Return what people may write; a channel that trims its messages gives only such as it leaves alone."""
        return st.text(min_size=1, max_size=60)


def near(value: Any) -> SearchStrategy[Any]:
    """Return JSON that is nearly this value: parts are missing, are something else, or too many."""
    if isinstance(value, dict):
        parts = {key: st.just(part) | near(part) for key, part in cast("dict[str, Any]", value).items()}
        more = st.dictionaries(st.text(max_size=5), _JSON, max_size=1)
        return st.tuples(st.fixed_dictionaries({}, optional=parts), more).map(lambda both: {**both[1], **both[0]})
    if isinstance(value, list):
        items = [st.just(item) | near(item) for item in cast("list[Any]", value)]
        return st.lists(st.one_of(*items, _JSON), max_size=3) | _JSON
    return _JSON


def _everywhere(value: Any, put: Any) -> Any:
    if isinstance(value, dict):
        return {key: _everywhere(part, put) for key, part in cast("dict[str, Any]", value).items()}
    return [_everywhere(item, put) for item in cast("list[Any]", value)] if isinstance(value, list) else put


def _taken_by(served: Served) -> Any:
    async def taken(body: bytes) -> None:
        with no_failure_logged():
            said: Said = await served.adapter.send(Line(), body)
        assert said.status is None or said.status < _SERVER_SIDE, f"{body!r} is answered with {said.status}."
        if said.error is not None:
            served.adapter.check_error(said)
        assert_clean(said)

    return taken


async def _still_works(served: Served) -> None:
    assert await served.answer(Line(name="after all that"), "still there?") == "still there?"
