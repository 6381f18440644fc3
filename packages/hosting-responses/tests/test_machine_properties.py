"""Whatever an agent says, in whatever order: the stream keeps the rules, and says what the final body says."""

import copy
import random
from collections.abc import Callable
from typing import Any

import httpx2
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.json import encode
from openai import OpenAI
from responses_rules import check, check_body
from responses_tool_rules import names_two_calls
from responses_updates import (
    ANY_CONTENT,
    WORDS,
    any_update,
    coherent_updates,
    machine,
    rendered,
    rendered_whole,
    shown,
    stream,
    text,
    without_ids,
)

from agent_framework_hosting_responses._inbound.request import messages_from_responses_input
from agent_framework_hosting_responses._waiting import Waiting

INCLUDED = frozenset({"code_interpreter_call.outputs", "file_search_call.results", "web_search_call.action.sources"})
FLAGS = st.fixed_dictionaries(
    {
        "show_tool_calls": st.booleans(),
        "encrypted_reasoning": st.booleans(),
        "include": st.sampled_from([frozenset(), INCLUDED]),
    }
)
ENDS = st.sampled_from(["complete", "override", "fail", "cancel", "drain", "fail after complete"])
UPDATES = st.lists(any_update(), max_size=8)
AT = 1_700_000_009


def run(updates: list[AgentResponseUpdate], end: str, final: AgentResponse[Any] | None, **flags: Any) -> bytes:
    responder = machine(**flags)
    sent = [responder.start(), *(responder.feed(update) for update in updates)]
    if end in ("complete", "override", "fail after complete"):
        responder.complete(final, completed_at=AT, override=end == "override")
    if end in ("complete", "override"):
        sent.append(responder.closing())
    elif end.startswith("fail"):
        sent.append(responder.fail("run_failed", "The run failed."))
    else:
        status, reason = ("cancelled", None) if end == "cancel" else ("incomplete", "max_output_tokens")
        sent.append(responder.cancel(status=status, reason=reason))
    assert responder.feed(updates[0]) == b"" if updates else True
    return b"".join(sent)


@settings(deadline=None)
@given(updates=UPDATES, end=ENDS, flags=FLAGS)
def test_any_updates_and_any_end_give_a_stream_that_keeps_every_rule(
    updates: list[AgentResponseUpdate], end: str, flags: dict[str, Any]
) -> None:
    checked = check(run(updates, end, None, **flags))
    assert end != "cancel" or checked.body["status"] == "cancelled"
    assert end not in ("fail", "fail after complete") or checked.body["status"] == "failed"


@settings(deadline=None)
@given(updates=UPDATES, say=coherent_updates(), flags=FLAGS)
def test_an_overridden_body_says_what_the_hook_said_and_keeps_the_streamed_ids(
    updates: list[AgentResponseUpdate], say: Callable[[], list[AgentResponseUpdate]], flags: dict[str, Any]
) -> None:
    final = AgentResponse.from_updates(say())
    final.finish_reason = final.finish_reason or "stop"
    checked = check(run(updates, "override", final, **flags), is_overridden=True)
    assert without_ids(checked.body["output"]) == without_ids(rendered(final, **flags)["output"])
    for kind in ("message", "reasoning", "function_call", "mcp_call", "code_interpreter_call"):
        told, shown = (
            [item["id"] for item in items if item["type"] == kind] for items in (checked.told, checked.body["output"])
        )
        count = min(len(told), len(shown))
        assert told[:count] == shown[:count]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(say=coherent_updates(), flags=FLAGS)
def test_a_stream_folds_to_what_the_same_answer_gives_without_streaming(
    say: Callable[[], list[AgentResponseUpdate]], flags: dict[str, Any]
) -> None:
    responder = machine(**flags)
    sent = [responder.feed(update) for update in say()]
    responder.complete(completed_at=AT)
    streamed = check(b"".join([*sent, responder.closing()])).body
    rendered = rendered_whole(AgentResponse.from_updates(say()), **flags)
    whole = shown(rendered.body)
    check_body(whole)
    assert rendered.waiting == responder.waiting
    assert without_ids(streamed["output"]) == without_ids(whole["output"])
    assert {**streamed, "output": []} == {**whole, "output": []}


@settings(deadline=None)
@given(updates=UPDATES, flags=FLAGS)
def test_the_official_clients_own_strict_reader_accepts_the_stream(
    updates: list[AgentResponseUpdate], flags: dict[str, Any]
) -> None:
    sent = stream(*updates, **flags)
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=sent)
    )
    with (
        httpx2.Client(transport=transport) as http,
        OpenAI(api_key="key", base_url="http://host/v1", http_client=http).responses.stream(
            model="m", input="hi"
        ) as read,
    ):
        events = list(read)
    checked = check(sent)
    assert [event.sequence_number for event in events] == [event["sequence_number"] for event in checked.events]
    if checked.body["status"] == "completed":
        assert [getattr(item, "id", None) for item in read.get_final_response().output] == [
            item["id"] for item in checked.body["output"]
        ]


@settings(deadline=None)
@given(updates=UPDATES, cut=st.randoms(use_true_random=False))
def test_what_one_update_holds_may_as_well_come_in_several(
    updates: list[AgentResponseUpdate], cut: random.Random
) -> None:
    pieces: list[AgentResponseUpdate] = []
    for update in updates:
        if update.merge_mode == "replace" or type(update.contents) is not list or cut.random() < 0.5:
            pieces.append(update)
            continue
        pieces.extend(_with_contents(update, [content]) for content in update.contents)
        pieces.append(_with_contents(update, []))
    assert without_ids(check(stream(*updates)).body["output"]) == without_ids(check(stream(*pieces)).body["output"])


@settings(deadline=None)
@given(updates=UPDATES, flags=FLAGS)
def test_everything_that_is_sent_is_taken_back_as_history(
    updates: list[AgentResponseUpdate], flags: dict[str, Any]
) -> None:
    output = check(stream(*updates, **flags)).body["output"]
    assume(not names_two_calls(output))
    messages = messages_from_responses_input([{"role": "user", "content": "hi"}, *output])
    assert messages[0].text == "hi"
    contents = [content for message in messages for content in message.contents]
    assert not any(content.type == "function_approval_response" for content in contents)


class Unusual(AgentResponseUpdate):
    """An update of another class, which is read attribute by attribute, not by the short way of plain chunks."""


class UnusualMessage(Message):
    """The same for the message of a whole answer."""


@settings(deadline=None)
@given(updates=UPDATES, flags=FLAGS)
def test_the_short_way_of_plain_chunks_sends_what_the_long_way_does(
    updates: list[AgentResponseUpdate], flags: dict[str, Any]
) -> None:
    unusual = [copy.copy(update) for update in updates]
    for update in unusual:
        update.__class__ = Unusual
    one, other = check(stream(*updates, **flags)), check(stream(*unusual, **flags))
    assert (one.types, one.deltas()) == (other.types, other.deltas())
    assert without_ids(one.body["output"]) == without_ids(other.body["output"])


@settings(deadline=None)
@given(
    contents=st.lists(ANY_CONTENT, max_size=2) | st.lists(st.builds(text, WORDS), min_size=1, max_size=1),
    role=st.sampled_from(["assistant", "assistant", "assistant", "", "tool", "user"]),
    end=st.sampled_from([None, "stop", "length", "content_filter"]),
    usage=st.sampled_from([None, {}, {"input_token_count": 3, "output_token_count": True}]),
    waiting=st.sampled_from([(), (), (Waiting(call_id="c1", name="look"),)]),
)
def test_the_short_way_of_a_plain_answer_says_what_the_long_way_does(
    contents: list[Any], role: str, end: Any, usage: Any, waiting: tuple[Waiting, ...]
) -> None:
    said = [Message(role), UnusualMessage(role)]
    for message in said:
        message.contents = contents
    one, other = (
        rendered_whole(AgentResponse(messages=[each], finish_reason=end, usage_details=usage), waiting=waiting)
        for each in said
    )
    if any(content.type != "text" for content in contents if isinstance(content, Content)):
        # What is minted differs; nothing but text goes the short way.
        assert without_ids(shown(one.body)["output"]) == without_ids(shown(other.body)["output"])
    else:
        assert (one.body.json, encode(one.body.kept)) == (other.body.json, encode(other.body.kept))
        assert one.waiting == other.waiting


def _with_contents(update: AgentResponseUpdate, contents: list[Any]) -> AgentResponseUpdate:
    piece = copy.copy(update)
    piece.contents = contents
    return piece
