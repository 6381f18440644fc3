"""The order of a WebSocket, without one: a model says what every client may expect, whatever it sends."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent_framework_hosting.errors import Draining, InvalidRequest, RequestTooLarge
from agent_framework_hosting.limits import Limits
from agent_framework_hosting_responses._inbound.socket import LIMIT_REACHED, Agenda, Close, Create, Refusal, Steer
from agent_framework_hosting_responses._outbound.wire import DONE, delta_template, event, members, unframed

LIMITS = Limits(max_waiting=3, max_request_bytes=2_000)


def message(said: str, **fields: Any) -> str:
    return json.dumps({"type": "response.create", "input": said, **fields})


class Conversation(RuleBasedStateMachine):
    """A client that sends whatever it likes, and a server that takes one thing after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda = Agenda(limits=LIMITS)
        self.sent: list[tuple[str, int]] = []
        """What waits: what is to become of it, and how large it is."""
        self.ended: str | None = None
        self.closed: Close | None = None
        self.is_flooded = False

    @property
    def waiting(self) -> int:
        return len(self.sent)

    def send(self, sent: str | bytes, kind: str) -> None:
        size = len(sent)
        if kind != "refusal" and not self.has_room_for(size):
            kind = "refusal"
        if self.waiting >= 2 * LIMITS.max_waiting:
            self.is_flooded, self.sent = True, []
        elif not self.is_flooded:
            self.sent.append((kind, size if kind != "refusal" else 0))
        self.agenda.take(sent)

    def has_room_for(self, size: int) -> bool:
        """Whether a message may wait: beside a few, and beside few words."""
        beside = sum(size for _, size in self.sent)
        return self.waiting < LIMITS.max_waiting and (not self.sent or beside + size <= LIMITS.max_request_bytes)

    @precondition(lambda self: self.closed is None)
    @rule(size=st.integers(0, 1_500))
    def ask(self, size: int) -> None:
        """Ask for a response."""
        self.send(message("x" * size), "create")

    @precondition(lambda self: self.closed is None)
    @rule(sent=st.sampled_from(["", "{", "[]", "{}", '{"type":"x"}', b"{}", message("x", background=True)]))
    def stammer(self, sent: str | bytes) -> None:
        """Say something that makes no sense."""
        self.send(sent, "refusal")

    @precondition(lambda self: self.closed is None)
    @rule()
    def steer(self) -> None:
        """Try to steer."""
        self.send('{"type":"response.steer","input":"x","previous_response_id":"r"}', "steer")

    @precondition(lambda self: self.closed is None and self.ended is None)
    @rule(how=st.sampled_from(["drain", "expire"]))
    def end(self, how: str) -> None:
        """Let the server go away, or time pass."""
        if how == "expire" and not self.is_flooded and all(kind != "create" for kind, _ in self.sent):
            self.sent.append(("refusal", 0))
        self.ended = how
        getattr(self.agenda, how)()

    @rule()
    def answer(self) -> None:
        """Do what is next."""
        step = self.agenda.next()
        if isinstance(step, Close):
            assert not self.sent
            assert self.ended is not None or self.is_flooded
            assert step.code == (1008 if self.is_flooded else 1001)
            self.closed = step
        elif step is None:
            assert not self.sent
            assert self.ended is None
            assert not self.is_flooded
        else:
            kind, _ = self.sent.pop(0)
            if isinstance(step, Create):
                # Once the connection is about to end nothing new begins.
                assert kind == "create"
                assert self.ended is None
            elif isinstance(step, Steer):
                assert kind == "steer"
            elif kind == "create":
                self.check_refusal(step)
            else:
                assert kind == "refusal"

    def check_refusal(self, step: Refusal) -> None:
        """What had waited for its turn is refused because the connection ends."""
        if self.ended == "drain":
            assert isinstance(step.error, Draining)
        else:
            assert isinstance(step.error, InvalidRequest)
            assert step.error.detail_code == LIMIT_REACHED

    @invariant()
    def waits_to_a_bound(self) -> None:
        assert self.agenda.waiting <= 2 * LIMITS.max_waiting + 1


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=max(60, settings().max_examples), stateful_step_count=30)


def take(agenda: Agenda, sent: str) -> Create:
    agenda.take(sent)
    step = agenda.next()
    assert isinstance(step, Create), step
    return step


def test_what_was_prepared_is_said_with_what_continues_it_and_is_forgotten_when_that_fails() -> None:
    agenda = Agenda(limits=Limits())
    first = take(agenda, message("one", previous_response_id="resp_0", generate=False, store=False))
    assert not first.generate
    agenda.prepared("resp_1", first)
    second = take(agenda, message("two", previous_response_id="resp_1", generate=False))
    agenda.prepared("resp_2", second)
    third = take(agenda, message("three", previous_response_id="resp_2", store=False))
    assert third.body["previous_response_id"] == "resp_0"
    assert [item["content"] for item in third.body["input"]] == ["one", "two", "three"]
    assert third.continues == "resp_2"
    assert third.is_apart
    agenda.failed("resp_2")
    assert take(agenda, message("three", previous_response_id="resp_2")).body["previous_response_id"] == "resp_2"


def test_what_is_prepared_is_bounded() -> None:
    agenda = Agenda(limits=Limits(max_request_bytes=2_000))
    for number in range(40):
        agenda.prepared(f"resp_{number}", take(agenda, message("x" * 300, generate=False)))
    joined = [take(agenda, message("x", previous_response_id=f"resp_{number}")) for number in range(40)]
    assert 0 < sum("previous_response_id" not in each.body for each in joined) <= 6
    assert "previous_response_id" not in joined[-1].body


def test_what_is_prepared_upon_what_was_prepared_is_no_way_around_the_bound() -> None:
    """Each holds the words of all before it, and counts as large as they are together."""
    agenda = Agenda(limits=Limits(max_request_bytes=2_000))
    agenda.prepared("resp_0", take(agenda, message("x" * 300, generate=False)))
    steps: list[Any] = []
    for number in range(1, 40):
        agenda.take(message("x" * 300, generate=False, previous_response_id=f"resp_{number - 1}"))
        steps.append(agenda.next())
        if not isinstance(steps[-1], Create):
            break
        agenda.prepared(f"resp_{number}", steps[-1])
    assert 1 < len(steps) < 6
    assert isinstance(steps[-1], Refusal)
    assert isinstance(steps[-1].error, RequestTooLarge)
    assert len(json.dumps(steps[-2].body)) < 2_000


@given(st.lists(st.text(max_size=30), max_size=8), st.integers(0, 3))
def test_events_without_their_frame_are_the_events(texts: list[str], ends: int) -> None:
    template = delta_template("response.output_text.delta", members({"item_id": "a\n\nevent: b"}))
    said = [template % (number, json.dumps(text).encode()) for number, text in enumerate(texts)]
    said += [event("response.completed", 7, {"text": "\n\ndata: x", "many": "\r\n"})] * ends
    found = unframed(b"".join([*said, b": \n\n", DONE]))
    assert [json.loads(each.data)["type"] for each in found] == [each.name for each in found]
    deltas = [json.loads(each.data)["delta"] for each in found if each.name == "response.output_text.delta"]
    assert deltas == texts
    assert len(found) == len(said)
