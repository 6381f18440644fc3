"""The offline model's rules: which words lead to which calls and answers."""

from __future__ import annotations

import json
from time import process_time
from typing import Literal

import pytest
from agent_framework import Content, Message
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting_responses._demo._calls import CallSyntaxError, ToolCall, read_calls
from agent_framework_hosting_responses._demo._conversation import ToolResult, read
from agent_framework_hosting_responses._demo._rules import HELP, decide
from agent_framework_hosting_responses._demo._turn import CallTools, Reply, Say, Tool, ToolPolicy, Turn

LOCAL = [Tool("current_time"), Tool("calculate"), Tool("count_words")]
WEATHER = Tool("get_weather", declared_by_client=True)
NEWS = Tool("get_news", declared_by_client=True)
ALL = [*LOCAL, WEATHER, NEWS]
NOTHING: dict[str, object] = {}
MODES: tuple[Literal["auto", "required", "none"], ...] = ("auto", "required", "none")


def users(*texts: str) -> list[Message]:
    """A conversation in which the model's answers do not matter."""
    messages: list[Message] = []
    for text in texts:
        messages += [Message("user", [text]), Message("assistant", ["Well."])]
    return messages[:-1]


def reply_to(*texts: str, tools: list[Tool] = ALL, policy: ToolPolicy | None = None) -> Reply:
    return decide(Turn(read(users(*texts)), tools=tools, policy=policy or ToolPolicy()))


def said_to(*texts: str) -> str:
    reply = reply_to(*texts)
    assert isinstance(reply, Say)
    return reply.text


def calls_for(text: str, *, policy: ToolPolicy | None = None, tools: list[Tool] = ALL) -> list[tuple[str, object]]:
    reply = reply_to(text, tools=tools, policy=policy)
    assert isinstance(reply, CallTools), reply
    return [(call.name, json.loads(call.arguments)) for call in reply.calls]


# -- talk


@pytest.mark.parametrize("text", ["help", "Hello", "hi there", "Who are you?", "So, what can you do?", "are you real?"])
def test_asked_for_help_it_says_what_it_is_and_can_do(text: str) -> None:
    assert said_to(text) == HELP
    assert "offline demo model" in HELP
    assert "no AI" in HELP


def test_what_no_rule_knows_is_echoed_and_the_echo_is_honest() -> None:
    assert said_to("The moon is made of cheese.").startswith('You said: "The moon is made of cheese."')
    assert "offline demo model" in said_to("The moon is made of cheese.")


@pytest.mark.parametrize(
    ("introduction", "name"),
    [
        ("My name is Ada.", "Ada"),
        ("my name is ada", "ada"),
        ("Hi! My name is Ada Lovelace, nice to meet you", "Ada Lovelace"),
        ("Call me Ishmael.", "Ishmael"),
        ("My name is Jean-Luc and I am tired", "Jean-Luc"),
        ("My name is Ada. No, my name is Eve.", "Eve"),
    ],
)
def test_it_remembers_the_name_that_it_was_told(introduction: str, name: str) -> None:
    assert said_to(introduction).startswith(f"Nice to meet you, {name}.")
    assert said_to(introduction, "Fine weather.", "What is my name?") == f"Your name is {name}."


def test_the_newest_name_counts() -> None:
    assert said_to("My name is Ada.", "My name is Eve.", "Who am I?") == "Your name is Eve."


def test_it_says_so_when_it_knows_no_name() -> None:
    assert said_to("Call me when you are done.", "What's my name?") == "You have not told me your name yet."


def test_it_recalls_what_was_said() -> None:
    earlier = ("One.", "Two.", "Three.")
    assert said_to(*earlier, "What did I say first?") == 'First you said: "One."'
    assert said_to(*earlier, "What did I say before?") == 'Before this you said: "Three."'
    assert said_to(*earlier, "How many messages was that?") == "With this one you have sent 4 messages."


def test_it_recalls_nothing_where_nothing_was() -> None:
    assert said_to("What did I say first?") == "This is the first thing that you said to me."
    assert said_to("What did I just say?") == "You said nothing before this."
    assert said_to("How many turns?") == "With this one you have sent 1 message."


def test_it_says_what_it_is_told_to_say_and_obeys_none_of_it() -> None:
    assert said_to("say what is 2 + 2, call get_weather {}") == "what is 2 + 2, call get_weather {}"
    assert said_to("Please repeat after me: a  b\nc") == "a  b\nc"
    assert said_to("say " + "word " * 1000) == ("word " * 1000).strip()


def test_it_counts_within_bounds() -> None:
    assert said_to("count to 5") == "1 2 3 4 5"
    assert said_to("count to 1000").endswith(" 999 1000")
    assert said_to("count to 1001") == said_to("count to 0") == "I count to anything from 1 to 1000."


def test_a_message_with_nothing_to_read_is_named_as_such() -> None:
    nothing = Message("user", [Content.from_hosted_vector_store("vs_1")])
    assert decide(Turn(read([nothing]))) == Say("I found nothing in your message that I can read.")


# -- tools by question


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("What is 6 * 7?", [("calculate", {"expression": "6 * 7"})]),
        ("what's (1+2)^3", [("calculate", {"expression": "(1+2)^3"})]),
        ("What is 2.5 * 4. And why?", [("calculate", {"expression": "2.5 * 4"})]),
        ("Calculate import os", [("calculate", {"expression": "import os"})]),
        ("What time is it?", [("current_time", NOTHING)]),
        ("what's the time in New York?", [("current_time", {"timezone": "New York"})]),
        ("What time is it now in Asia/Tokyo?", [("current_time", {"timezone": "Asia/Tokyo"})]),
        ("How many words are in: to be or not to be", [("count_words", {"text": "to be or not to be"})]),
        ("Count the words of\none\ntwo", [("count_words", {"text": "one\ntwo"})]),
        (
            "What is 12*12, and what time is it in Oslo?",
            [("calculate", {"expression": "12*12"}), ("current_time", {"timezone": "Oslo"})],
        ),
    ],
)
def test_a_question_that_a_tool_answers_becomes_a_call(text: str, calls: list[tuple[str, object]]) -> None:
    assert calls_for(text) == calls


@pytest.mark.parametrize("text", ["What is love?", "What is my plan?", "Time flies.", "What time works for you?"])
def test_other_questions_become_no_calls(text: str) -> None:
    assert isinstance(reply_to(text), Say)


def test_every_word_of_a_long_text_reaches_the_word_counter() -> None:
    text = "word " * 5000
    assert calls_for(f"How many words are in: {text}") == [("count_words", {"text": text.strip()})]


# -- tools by name


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('call get_weather {"city":"Paris"}', [("get_weather", {"city": "Paris"})]),
        ('Please call the tool `get_weather` {"a": {"b": 1}} now', [("get_weather", {"a": {"b": 1}})]),
        ("call get_news", [("get_news", NOTHING)]),
        ('call get_weather {"a": "}"} and get_news {}', [("get_weather", {"a": "}"}), ("get_news", NOTHING)]),
        ("call get_news, get_news and call get_news {}", [("get_news", NOTHING)] * 3),
        ("call get_news and tell me about it", [("get_news", NOTHING)]),
    ],
)
def test_a_call_that_is_asked_for_by_name_is_made(text: str, calls: list[tuple[str, object]]) -> None:
    assert calls_for(text) == calls


def test_arguments_are_passed_on_as_they_were_written() -> None:
    assert read_calls('call f {"b": 1,"a":  "\u00fc"}', known=()) == (ToolCall("f", '{"b": 1,"a":  "\u00fc"}'),)


@pytest.mark.parametrize("text", ["call me tomorrow", "I will call my mother", "a wake-up call", "call"])
def test_the_word_call_alone_asks_for_nothing(text: str) -> None:
    assert read_calls(text, known={"get_weather"}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "call f {bad}",
        'call f {"a": 1',
        'call f {"a": NaN}',
        "call f " + '{"a":' * 100_000,
        "call f {} and f {" + '"a": 1' * 2,
        "call f {}" + " and f {}" * 16,
    ],
    ids=["no JSON", "unfinished", "NaN", "deep", "second one", "too many"],
)
def test_a_call_that_cannot_be_read_is_explained(text: str) -> None:
    with pytest.raises(CallSyntaxError):
        read_calls(text, known={"f"})
    assert isinstance(reply_to(text), Say)


def test_an_unknown_tool_is_named_with_those_that_there_are() -> None:
    reply = reply_to("call launch {}", tools=[WEATHER, NEWS])
    assert reply == Say(
        "There is no tool launch that I may call in this request. Those that I may call: get_weather, get_news."
    )


# -- tool policy


TWO_CALLS = 'call get_weather {"city": "Paris"} and get_news {}'


def test_without_parallel_calls_they_come_one_at_a_time() -> None:
    one_at_a_time = ToolPolicy(parallel=False)
    assert calls_for(TWO_CALLS, policy=one_at_a_time) == [("get_weather", {"city": "Paris"})]
    messages = [
        Message("user", [TWO_CALLS]),
        Message("assistant", [Content.from_function_call("c1", "get_weather", arguments="{}")]),
        Message("tool", [Content.from_function_result("c1", result="sunny")]),
    ]
    assert decide(Turn(read(messages), tools=ALL, policy=one_at_a_time)) == CallTools((ToolCall("get_news", "{}"),))
    messages += [
        Message("assistant", [Content.from_function_call("c2", "get_news", arguments="{}")]),
        Message("tool", [Content.from_function_result("c2", result="none")]),
    ]
    answer = Say("get_weather answered: sunny\nget_news answered: none")
    assert decide(Turn(read(messages), tools=ALL, policy=one_at_a_time)) == answer


def test_forbidden_tools_are_not_called() -> None:
    reply = reply_to("What is 6 * 7?", policy=ToolPolicy(mode="none"))
    assert isinstance(reply, Say)
    assert "tool_choice is none" in reply.text


def test_a_required_call_is_made_whatever_the_user_says() -> None:
    required = ToolPolicy(mode="required")
    assert calls_for("Hello!", policy=required)[0][0] == "get_weather"
    assert calls_for("What is 6 * 7?", policy=required) == [("calculate", {"expression": "6 * 7"})]


def test_a_required_call_by_name_is_the_one_that_is_made() -> None:
    assert calls_for(TWO_CALLS, policy=ToolPolicy(mode="required", required="get_news")) == [("get_news", NOTHING)]
    assert calls_for("Hello!", policy=ToolPolicy(mode="required", required="count_words"))[0][0] == "count_words"


@pytest.mark.parametrize("name", [None, "launch"])
def test_a_required_call_without_such_a_tool_is_explained(name: str | None) -> None:
    reply = reply_to("Hello!", tools=[], policy=ToolPolicy(mode="required", required=name))
    assert isinstance(reply, Say)
    assert "There is no tool" in reply.text


# -- reading a conversation


def test_results_that_come_with_new_words_are_reported_before_the_answer() -> None:
    messages = [
        Message("user", ["call get_weather {}"]),
        Message("assistant", [Content.from_function_call("c1", "get_weather", arguments="{}")]),
        Message("tool", [Content.from_function_result("c1", result="sunny")]),
        Message("user", ["say thanks"]),
    ]
    assert decide(Turn(read(messages), tools=ALL)) == Say("get_weather answered: sunny\nthanks")


def test_results_of_finished_turns_are_not_reported_again() -> None:
    messages = [
        Message("user", ["call get_weather {}"]),
        Message("assistant", [Content.from_function_call("c1", "get_weather", arguments="{}")]),
        Message("tool", [Content.from_function_result("c1", result="sunny")]),
        Message("assistant", ["get_weather answered: sunny"]),
        Message("user", ["say thanks"]),
    ]
    assert decide(Turn(read(messages), tools=ALL)) == Say("thanks")


def test_a_result_without_its_call_is_reported_all_the_same() -> None:
    conversation = read([Message("tool", [Content.from_function_result("c9", result="42")])])
    assert conversation.results == (ToolResult("", "42"),)
    assert decide(Turn(conversation)) == Say("The tool answered: 42")


# -- any input


@given(texts=st.lists(st.text(), min_size=1, max_size=4), mode=st.sampled_from(MODES), parallel=st.booleans())
def test_any_conversation_gets_a_reply(
    texts: list[str], mode: Literal["auto", "required", "none"], *, parallel: bool
) -> None:
    reply = reply_to(*texts, policy=ToolPolicy(mode=mode, parallel=parallel))
    assert reply.text if isinstance(reply, Say) else reply.calls


@pytest.mark.parametrize(
    "text",
    [
        "call " * 200_000,
        "what is " * 200_000,
        "what is " + "1" * 1_000_000,
        "calculate " + " " * 1_000_000,
        "what time is it in " + "a " * 500_000,
        "my name is " * 100_000,
        "my name is A" + " A" * 500_000,
        'call f {"a": "' + "\\u0041" * 200_000,
        "say" + " " * 1_000_000,
        "count to " + "9" * 1_000_000,
    ],
    ids=lambda text: text[:20],
)
def test_a_million_characters_take_no_noticeable_time(text: str) -> None:
    started = process_time()
    assert reply_to(text)
    assert process_time() - started < 5.0
