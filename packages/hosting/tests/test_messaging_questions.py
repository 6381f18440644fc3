"""What an agent or a workflow asks is asked in the chat, and the next message answers it."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

import msgspec
import pytest
from agent_framework import Agent, Content, Message, RunContext, WorkflowEvent, WorkflowRunResult, tool, workflow
from messaging_parts import Chats
from workflow_parts import notebook

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.messaging.outlet import OutletTraits, TextLimits
from agent_framework_hosting.messaging.phrases import Phrases
from agent_framework_hosting.messaging.questions import prompt, questions_of, reply_to
from agent_framework_hosting.rendering.text import clean
from agent_framework_hosting.testing import ScriptedChatClient

Serve = Callable[..., Awaitable[Chats]]
PHRASES = Phrases()


@pytest.fixture(params=["memory", "sqlite"])
async def serve(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> AsyncGenerator[Serve]:
    """Return a function that serves a target to a chat platform, over each kind of store."""
    async with AsyncExitStack() as stack:

        async def serve(target: Any, chats: Chats | None = None) -> Chats:
            chats = chats or Chats(traits=OutletTraits(limits=TextLimits(max_length=4096), choices=True))
            database = None if request.param == "memory" else make_database(request.param)
            await stack.enter_async_context(AgentFrameworkHost(target, channels=[chats], database=database))
            return chats

        yield serve


class Bank:
    """An agent that pays when it may."""

    def __init__(self, *amounts: int) -> None:
        self.paid: list[int] = []

        @tool(approval_mode="always_require")
        def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            return f"paid {amount}"

        calls = [
            Content.from_function_call(f"call_{number}", "pay", arguments={"amount": amount})
            for number, amount in enumerate(amounts or (5,))
        ]
        self.client = ScriptedChatClient(["One moment.", *calls], every=self.sum_up)
        self.agent = Agent(self.client, tools=[pay])

    def sum_up(self, call: Any) -> str:
        results = [content.result for message in call.messages for content in message.contents if content.result]
        return f"Done: {results}; heard {call.seen}"


async def test_a_tool_is_asked_about_with_what_it_would_do_and_runs_on_a_yes(serve: Serve) -> None:
    bank = Bank()
    chats = await serve(bank.agent)
    await chats.say("Pay 5.")
    said, asked = await chats.until("One moment.", "May I do this?")
    assert said == "One moment."
    assert "**pay**" in asked
    assert '"amount": 5' in asked
    assert chats.at().calls[-1].choices == ("yes", "no")
    assert bank.paid == []
    await chats.say("Yes!")
    await chats.until("Done: ['paid 5']")
    assert bank.paid == [5]


async def test_a_platform_that_knows_nothing_of_marks_gets_plain_texts_to_press(serve: Serve) -> None:
    """Encoders such as msgspec's take no subclass of `str`, and the question would never be put."""
    bank = Bank()
    chats = await serve(bank.agent)
    await chats.say("Pay 5.")
    await chats.until("May I do this?")
    choices = chats.at().calls[-1].choices
    assert msgspec.json.encode(choices) == b'["yes","no"]'
    await chats.say(choices[0])
    await chats.until("Done: ['paid 5']")


@pytest.mark.parametrize("arguments", [{"whom": "ada \ud83e"}, '{"whom": "ada \ud83e"}', '{"whom": "ada \\ud83e'])
async def test_half_a_character_in_what_is_asked_keeps_nobody_from_answering(serve: Serve, arguments: Any) -> None:
    """What JSON lets through and no platform takes."""
    paid: list[str] = []

    @tool(approval_mode="always_require")
    def pay(whom: str) -> str:
        """Pay."""
        paid.append(whom)
        return "paid"

    call = Content.from_function_call("call \ud83e", "pay", arguments=arguments)
    chats = await serve(Agent(ScriptedChatClient([call], every="Done."), tools=[pay]))
    await chats.say("Pay Ada.")
    assert "ada " in (await chats.until("May I do this?"))[-1]
    await chats.say("Yes!")
    await chats.until("Done.")
    is_json = not isinstance(arguments, str) or arguments.endswith("}")
    # Until a restart, Agent Framework runs the call that it remembers itself.
    assert [clean(each) for each in paid] == (["ada \ufffd"] if is_json else [])


@pytest.mark.parametrize("answer", ["no", "Rather pay Bob instead."])
async def test_whatever_is_no_yes_means_no_and_is_heard(serve: Serve, answer: str) -> None:
    bank = Bank()
    chats = await serve(bank.agent)
    await chats.say("Pay 5.")
    await chats.until("May I")
    await chats.say(answer)
    texts = await chats.until("Done")
    assert bank.paid == []
    if answer != "no":
        assert "Rather pay Bob instead." in texts[-1]


async def test_several_tools_are_asked_about_together(serve: Serve) -> None:
    bank = Bank(5, 7)
    chats = await serve(bank.agent)
    await chats.say("Pay both.")
    texts = await chats.until("May I")
    assert texts[-1].count("**pay**") == 2
    await chats.say("yes")
    await chats.until("Done: ['paid 5', 'paid 7']")
    assert bank.paid == [5, 7]


async def test_only_the_person_who_was_asked_answers(serve: Serve) -> None:
    """Somebody else in the same group says yes to something else."""
    bank = Bank()
    chats = await serve(bank.agent)
    await chats.say("Pay 5.", group=True)
    await chats.until("May I")
    await chats.say("yes", group=True, **{"from": "bob"})
    await chats.until("Done")
    assert bank.paid == []
    await chats.say("yes", group=True)
    await chats.until("Done", "Done")
    assert bank.paid == [5]


async def test_a_yes_after_a_new_beginning_allows_nothing(serve: Serve) -> None:
    bank = Bank()
    chats = await serve(bank.agent)
    await chats.say("Pay 5.")
    await chats.until("May I")
    await chats.say("/new")
    await chats.say("yes")
    await chats.until(PHRASES.started_afresh, "'yes'")
    assert bank.paid == []


async def test_a_yes_is_used_once(serve: Serve) -> None:
    bank = Bank()
    chats = await serve(bank.agent)
    await chats.say("Pay 5.")
    await chats.until("May I")
    await chats.say("yes")
    await chats.say("yes")
    await chats.until("Done", "Done")
    assert bank.paid == [5]


async def test_a_yes_whose_turn_failed_is_used_up_and_the_conversation_goes_on(serve: Serve) -> None:
    bank = Bank()
    call = Content.from_function_call("call_0", "pay", arguments={"amount": 5})
    bank.client = ScriptedChatClient([call], ValueError("no model today"), every=bank.sum_up)
    bank.agent.client = bank.client
    chats = await serve(bank.agent)
    await chats.say("Pay 5.")
    await chats.until("May I")
    await chats.say("yes")
    await chats.until("Sorry")
    await chats.say("yes")
    await chats.until("Sorry", "Done")
    assert bank.paid == [5]


async def test_what_was_asked_before_a_restart_is_answered_after_it(make_database: Callable[[str], str]) -> None:
    url = make_database("sqlite")
    bank, chats = Bank(), Chats()
    async with AgentFrameworkHost(bank.agent, channels=[chats], database=url):
        await chats.say("Pay 5.")
        await chats.until("May I")
    later, later_chats = Bank(), Chats()
    later.client = ScriptedChatClient(every=later.sum_up)
    later.agent.client = later.client
    async with AgentFrameworkHost(later.agent, channels=[later_chats], database=url):
        await later_chats.say("yes", id="after")
        await later_chats.until("Done: ['paid 5']")
    assert later.paid == [5]


@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        ("ask flag", "yes", "flag True"),
        ("ask flag", "No.", "flag False"),
        ("ask text", "42", "text 42"),
        ("ask count", "42", "count 42"),
        ("ask order", '{"item": "tea", "count": 2}', "2 tea"),
    ],
)
async def test_a_workflow_is_answered_by_the_next_message(serve: Serve, asked: str, answer: str, expected: str) -> None:
    chats = await serve(notebook)
    await chats.say(asked)
    await chats.until(asked)
    if asked == "ask flag":
        assert chats.at().calls[-1].choices == ("yes", "no")
    await chats.say(answer)
    await chats.until(asked, expected)


async def test_an_answer_that_does_not_fit_is_asked_for_again(serve: Serve) -> None:
    chats = await serve(notebook)
    await chats.say("ask count")
    await chats.until("ask count")
    await chats.say("many")
    await chats.until("does not fit")
    await chats.say("3")
    await chats.until("count 3")


async def test_the_questions_of_a_workflow_are_answered_one_after_the_other(serve: Serve) -> None:
    async def order(text: str, ctx: RunContext) -> str:
        kind = await ctx.request_info("Which tea?", str)
        count = await ctx.request_info({"question": "How many?"}, int)
        return f"{count} {kind} for {text}"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # functional workflows are experimental
        ordering = workflow(order)
    chats = await serve(ordering)
    await chats.say("Ada")
    await chats.until("Which tea?")
    await chats.say("green")
    await chats.until("How many?")
    await chats.say("2")
    await chats.until("2 green for Ada")


def event(data: Any, wanted: Any, *, at: str = "q") -> WorkflowEvent[Any]:
    return WorkflowEvent.request_info(at, "step", data, wanted)


def test_a_choice_is_offered_as_such() -> None:
    result = WorkflowRunResult([event("Which?", Literal["tea", "milk"]), event("Why?", str, at="r")])
    questions = questions_of(result)
    assert prompt(questions, PHRASES) == ("Which?", ("tea", "milk"))
    reply = reply_to(questions, Message("user", ["milk"]), PHRASES)
    assert [(each.call_id, each.result) for each in reply.input.contents] == [("q", "milk")]
    assert [question.id for question in reply.remaining] == ["r"]


def test_a_workflow_gets_no_new_input_beside_a_refusal() -> None:
    call = Content.from_function_call("c", "pay", arguments={})
    asked = Content.from_function_approval_request(id="a", function_call=call)
    questions = questions_of(WorkflowRunResult([event(asked, Content)]))
    reply = reply_to(questions, Message("user", ["Rather not"]), PHRASES)
    assert [(each.type, each.approved) for each in reply.input.contents] == [("function_approval_response", False)]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"a": 1}, '```\n{\n  "a": 1\n}\n```'),
        ('{"a":1}', '```\n{\n  "a": 1\n}\n```'),
        ("no JSON ```", "````\nno JSON ```\n````"),
        (None, "**pay**"),
        ("x" * 5000, "…"),
        ("[" * 100_000, "…"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_a_tool_would_do_is_shown_whatever_it_is(arguments: Any, shown: str) -> None:
    call = Content.from_function_call("c", "pay", arguments=arguments)
    request = Content.from_function_approval_request(id="a", function_call=call)
    response = WorkflowRunResult([event(request, Content)])
    text, _ = prompt(questions_of(response), PHRASES)
    assert shown in text
    assert len(text) < 2000
