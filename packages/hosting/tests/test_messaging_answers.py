"""An answer counts for what it was given to: not for what is asked later, of somebody else, or unseen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from agent_framework import Agent, Content, tool
from messaging_parts import Chats

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.messaging.outlet import NotOffered, OutletTraits, TextLimits, Unreachable
from agent_framework_hosting.messaging.phrases import Phrases
from agent_framework_hosting.testing import Gate, ScriptedChatClient

Serve = Callable[..., Awaitable[Chats]]
OUTDATED = Phrases().outdated


@pytest.fixture(params=["memory", "sqlite"])
async def serve(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> AsyncGenerator[Serve]:
    """Return a function that serves an agent to a chat platform, over each kind of store."""
    async with AsyncExitStack() as stack:

        async def serve(target: Any, **options: Any) -> Chats:
            traits = OutletTraits(limits=TextLimits(max_length=4096), choices=True, marks=True)
            chats = Chats(traits=traits, options=options)
            database = None if request.param == "memory" else make_database(request.param)
            limits = Limits(task_backoff=0.01)
            host = AgentFrameworkHost(target, channels=[chats], database=database, limits=limits)
            await stack.enter_async_context(host)
            return chats

        yield serve


class Bank:
    """An agent that pays one amount after the other, each when it may; the calls have one id, as some models do."""

    def __init__(self, *amounts: int) -> None:
        self.paid: list[int] = []

        @tool(approval_mode="always_require")
        def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            return f"paid {amount}"

        calls = [[Content.from_function_call("call", "pay", arguments={"amount": amount})] for amount in amounts]
        self.client = ScriptedChatClient(*calls, every=lambda call: f"heard {call.seen[-1]}")
        self.agent = Agent(self.client, tools=[pay])


async def test_a_button_that_is_pressed_twice_allows_nothing_that_is_asked_after_the_first_time(serve: Serve) -> None:
    bank = Bank(5, 5000)
    chats = await serve(bank.agent)
    await chats.say("Pay.")
    await chats.until('"amount": 5\n')
    await chats.press("yes", '"amount": 5\n')
    await chats.press("yes", '"amount": 5\n')
    await chats.until('"amount": 5000', OUTDATED)
    assert bank.paid == [5]
    await chats.press("yes", '"amount": 5000')
    await chats.until('"amount": 5000', OUTDATED, "heard")
    assert bank.paid == [5, 5000]


async def test_a_button_that_was_answered_by_typing_allows_nothing_else(serve: Serve) -> None:
    bank = Bank(5, 5000)
    chats = await serve(bank.agent)
    await chats.say("Pay.")
    await chats.until('"amount": 5\n')
    await chats.say("no")
    await chats.until('"amount": 5000')
    await chats.press("yes", '"amount": 5\n')
    await chats.until(OUTDATED)
    assert bank.paid == []
    assert len(bank.client.calls) == 2


async def test_a_button_after_a_new_beginning_is_told_to_be_outdated_and_the_agent_hears_nothing(
    serve: Serve,
) -> None:
    bank = Bank(5)
    chats = await serve(bank.agent)
    await chats.say("Pay.")
    await chats.until('"amount": 5\n')
    await chats.say("/new")
    await chats.press("yes", '"amount": 5\n')
    await chats.until(OUTDATED)
    assert bank.paid == []
    assert len(bank.client.calls) == 1


async def test_a_button_of_somebody_elses_question_answers_nothing_and_stays_theirs(serve: Serve) -> None:
    bank = Bank(5)
    chats = await serve(bank.agent)
    await chats.say("Pay.", group=True)
    await chats.until('"amount": 5\n')
    await chats.press("yes", '"amount": 5\n', group=True, **{"from": "bob"})
    await chats.until(OUTDATED)
    assert bank.paid == []
    await chats.press("yes", '"amount": 5\n', group=True)
    await chats.until("heard")
    assert bank.paid == [5]


async def test_a_yes_that_was_typed_before_something_was_asked_does_not_allow_it(serve: Serve) -> None:
    """Typed twice, it allows what was read; what was not is asked again."""
    model = Gate("the model thinks")
    bank = Bank(5)
    call = Content.from_function_call("call", "pay", arguments={"amount": 5000})
    bank.client = ScriptedChatClient(
        [Content.from_function_call("call", "pay", arguments={"amount": 5})], [model, call], every="Done."
    )
    bank.agent.client = bank.client
    chats = await serve(bank.agent)
    await chats.say("Pay.")
    await chats.until('"amount": 5\n')
    await chats.say("yes")
    await chats.say("yes")
    model.open()
    await chats.until('"amount": 5000', '"amount": 5000')
    assert bank.paid == [5]
    await chats.press("yes", '"amount": 5000')
    await chats.until("Done.")
    assert bank.paid == [5, 5000]


async def test_a_button_whose_answer_could_not_be_sent_at_once_is_answered_by_the_turn_that_was_done(
    serve: Serve,
) -> None:
    """What it asks in turn has taken the place of what was pressed by then."""
    bank = Bank(5, 7)
    chats = await serve(bank.agent, patience=0.0)
    await chats.say("Pay.")
    await chats.until('"amount": 5\n')
    chats.at().fail("send", Unreachable("away"))
    await chats.press("yes", '"amount": 5\n')
    texts = await chats.until('"amount": 7')
    assert OUTDATED not in texts
    assert bank.paid == [5]


async def test_a_question_whose_choices_the_platform_refuses_is_asked_without_them(serve: Serve) -> None:
    bank = Bank(5)
    chats = await serve(bank.agent)
    chats.at().fail("send", NotOffered("too many buttons"))
    await chats.say("Pay.")
    await chats.until('"amount": 5\n')
    assert chats.at().made("send")[-1].choices == ()
    await chats.say("yes")
    await chats.until("heard")
    assert bank.paid == [5]
