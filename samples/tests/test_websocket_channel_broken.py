"""What the contract is worth: broken copies of the WebSocket channel each fail at the right tests, and at no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from agent_framework_hosting.testing.contracts import ChannelContract

from .conftest import SAMPLES

pytest_plugins = ["pytester"]

SAMPLE = (SAMPLES / "websocket_channel.py").read_text()

PROPERTIES = {
    "test_a_streamed_answer_is_the_whole_answer",
    "test_any_bytes_are_answered_or_refused",
    "test_any_json_near_a_good_message_is_answered_or_refused",
    "test_any_text_reaches_the_agent_as_it_was",
}
"""What takes long; small runs leave out those that do not have to fail."""

SUITE = """
import runpy, sys
sys.path.insert(0, {beside!r})
from chat_adapter import ChatAdapter
from agent_framework_hosting.testing.contracts import ChannelContract

class BrokenAdapter(ChatAdapter):
    channel = runpy.run_path({broken!r})["ChatChannel"]

class TestBroken(ChannelContract):
    adapter, patience, examples = BrokenAdapter, {patience}, 4
"""


@dataclass(frozen=True)
class Break:
    """What is patched in the source, and which tests have to fail."""

    patches: list[tuple[str, str]]
    fails: set[str]
    patience: float = 20.0


BREAKS = {
    "takes no notice of who leaves": Break(
        [("            answering.cancel()\n            await asyncio.wait({answering})\n", "            pass\n")],
        {
            "test_who_leaves_stops_the_run",
            "test_who_leaves_a_stream_stops_the_run",
            "test_after_somebody_has_left_the_conversation_goes_on_without_that_turn",
        },
        patience=2.0,
    ),
    "shares one session for all": Break(
        [("""f"{self.name}/{quote(self._context.principal.id, safe='')}/{room}\"""", '"everybody"')],
        {
            "test_another_conversation_sees_nothing_of_it",
            "test_callers_are_served_each_as_themselves",
            "test_another_callers_conversation_of_the_same_name_is_another_one",
            "test_different_conversations_do_not_wait_for_each_other",
            "test_many_conversations_at_once_never_meet",
        },
        patience=2.0,
    ),
    "lets anybody into a room who knows its name": Break(
        [("{quote(self._context.principal.id, safe='')}", "all")],
        {"test_another_callers_conversation_of_the_same_name_is_another_one"},
    ),
    "drops the run hook": Break(
        [('"run_hook": self.run_hook', '"run_hook": None')],
        {
            "test_a_run_hook_decides_what_is_run[plain]",
            "test_a_run_hook_decides_what_is_run[async]",
            "test_a_run_hook_decides_what_is_streamed",
            "test_a_hook_that_fails_is_an_error_that_tells_nothing_of_it",
            "test_a_hook_that_refuses_is_heard",
        },
    ),
    "shows tracebacks": Break(
        [
            ('"message": told.message}', '"message": told.message + _trace(told, error)}'),
            (
                "def _read(",
                (
                    "def _trace(told, error):\n"
                    "    import traceback\n"
                    '    return "".join(traceback.format_exception(error)) if told.status == 500 else ""\n\n\n'
                    "def _read("
                ),
            ),
        ],
        {
            "test_a_failing_agent_is_an_error_that_tells_nothing_of_it",
            "test_an_agent_that_fails_in_mid_stream_ends_it_with_an_error_that_tells_nothing_of_it",
            "test_a_hook_that_fails_is_an_error_that_tells_nothing_of_it",
        },
    ),
    "answers before the turn is committed": Break(
        [
            ("self._parts(await inbox.get(), room)", "self._parts(await inbox.get(), room, socket)"),
            ("def _parts(self, sent: str | bytes, room: str)", "def _parts(self, sent, room, socket)"),
            (
                "            return answer\n",
                "            asyncio.ensure_future(socket.send_json(answer))\n            return answer\n",
            ),
            ("        yield answer\n", ""),
        ],
        {
            "test_an_answer_that_could_not_be_stored_is_not_told_as_one[whole]",
            "test_an_answer_that_could_not_be_stored_is_not_told_as_one[stream]",
        },
    ),
    "runs beside the line when the room is busy": Break(
        [
            ("room)) as parts:\n", "room)) as parts:\n                  with _busy(room):\n"),
            ("session = ChannelSession(", "session = None if ROOMS.count(room) > 1 else ChannelSession("),
            (
                "def _read(",
                (
                    "ROOMS = []\n\n\n"
                    "from contextlib import contextmanager\n\n\n"
                    "@contextmanager\n"
                    "def _busy(room):\n"
                    "    ROOMS.append(room)\n"
                    "    try:\n"
                    "        yield\n"
                    "    finally:\n"
                    "        ROOMS.remove(room)\n\n\n"
                    "def _read("
                ),
            ),
        ],
        {
            "test_turns_of_one_conversation_run_one_at_a_time_in_the_order_in_which_they_came",
            "test_a_full_line_is_told_to_come_again",
        },
        patience=2.0,
    ),
    "says errors in another shape": Break(
        [('"code": told.code', '"code": told.code.replace("invalid_request", "")')],
        {
            "test_any_bytes_are_answered_or_refused",
            "test_any_json_near_a_good_message_is_answered_or_refused",
            "test_what_is_no_json_is_refused_in_the_channels_words",
            "test_a_hook_that_refuses_is_heard",
        },
    ),
    "tells whose an id is": Break(
        [
            (
                "        session = ChannelSession(",
                (
                    "        me = self._context.principal.id\n"
                    "        if OWNERS.get(said.after, me) != me:\n"
                    '            raise InvalidRequest("That answer belongs to somebody else.")\n'
                    "        OWNERS[answer['id']] = me\n"
                    "        session = ChannelSession("
                ),
            ),
            ("def _read(", "OWNERS = {}\n\n\ndef _read("),
        ],
        {"test_continuing_another_callers_answer_is_like_continuing_an_unknown_one"},
    ),
    "never ends a stream that failed": Break(
        [
            ("            async with aclosing(stream):", "            async with aclosing(stream), _silence():"),
            (
                "def _read(",
                (
                    "from contextlib import asynccontextmanager\n\n\n"
                    "@asynccontextmanager\n"
                    "async def _silence():\n"
                    "    try:\n"
                    "        yield\n"
                    "    except Exception:\n"
                    "        await asyncio.Event().wait()\n\n\n"
                    "def _read("
                ),
            ),
        ],
        {
            "test_an_agent_that_fails_in_mid_stream_ends_it_with_an_error_that_tells_nothing_of_it",
            "test_an_answer_that_could_not_be_stored_is_not_told_as_one[stream]",
        },
        patience=2.0,
    ),
    "falls over bad JSON": Break(
        [
            (
                'inbox.put_nowait(event.get("text") or event.get("bytes") or "")',
                'inbox.put_nowait(msgspec.json.encode(msgspec.json.decode(event.get("text") or event.get("bytes"))))',
            )
        ],
        {
            "test_any_bytes_are_answered_or_refused",
            "test_any_json_near_a_good_message_is_answered_or_refused",
            "test_what_is_no_json_is_refused_in_the_channels_words",
        },
    ),
    "leaves work behind when the host stops": Break(
        [
            (
                'routes=[WebSocketRoute("/", self.talk)])',
                (
                    'routes=[WebSocketRoute("/", self.talk)], on_startup=[self.tick])\n\n'
                    "    async def tick(self):\n"
                    "        self._ticking = asyncio.ensure_future(asyncio.Event().wait())\n"
                ),
            )
        ],
        {
            "test_it_stops_with_the_host_and_leaves_no_task_behind",
            "test_it_is_stopped_when_a_later_channel_fails_to_start",
        },
    ),
}


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Import what is slow to import here: an inner run forgets at its end what it was the first to import."""
    for name in ("fastapi", "hypercorn.asyncio", "hypercorn.protocol", "wsproto", "h11", "h2.connection"):
        import_module(name)


@pytest.mark.timeout(600)  # what has to fail by waiting takes all of its patience, several times over
@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_copy_fails_where_it_is_broken(
    name: str, pytester: pytest.Pytester, tmp_path: Path, figure: Callable[[int, int], int]
) -> None:
    fault, source = BREAKS[name], SAMPLE
    for old, new in fault.patches:
        assert source.count(old) == 1, f"The sample has changed; this is not in it once: {old!r}"
        source = source.replace(old, new)
    broken = tmp_path / "broken.py"
    broken.write_text(source)
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "--timeout=120"]
    unlikely = PROPERTIES - fault.fails if figure(1, 0) else ()
    options += [f"--deselect=test_broken.py::TestBroken::{test}" for test in unlikely]
    failed: set[str] = set()
    # A busy machine gets a second try, with more patience: what is fine may be slow.
    for patience in (fault.patience, 15.0):
        suite = SUITE.format(beside=str(Path(__file__).parent), broken=str(broken), patience=patience)
        pytester.makepyfile(test_broken=suite)
        lines = pytester.runpytest_inprocess("-rfE", "--tb=short", *options).outlines
        failures = [line for line in lines if line.startswith(("FAILED test_", "ERROR test_"))]
        failed = {line.split()[1].rpartition("::")[2] for line in failures}
        if failed == fault.fails:
            break
    assert failed == fault.fails


def test_the_names_of_the_tests_are_those_of_the_contract() -> None:
    named = {test.partition("[")[0] for fault in BREAKS.values() for test in fault.fails} | PROPERTIES
    assert named <= {test for test in dir(ChannelContract) if test.startswith("test_")}
