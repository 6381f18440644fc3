"""Input items become messages: what was said, who said it, and which result belongs to which call."""

from __future__ import annotations

from typing import Any

import pytest
from agent_framework import Message

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting_responses._inbound.request import ResponsesRequest, parse
from agent_framework_hosting_responses._sealed_thoughts import Thought, seal


def read(*items: Any) -> ResponsesRequest:
    return parse({"input": list(items)})


def refusal(*items: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(*items)
    return caught.value


def told(messages: list[Message]) -> list[tuple[str, list[Any]]]:
    """Return roles and contents, each content as the values that matter."""
    return [
        (
            message.role,
            [
                content.text
                if content.type == "text"
                else (content.type, content.call_id or content.id, content.name or content.result or content.text)
                for content in message.contents
            ],
        )
        for message in messages
    ]


def user(text: str = "Hello") -> dict[str, Any]:
    return {"role": "user", "content": text}


def call(call_id: str = "call_1", **members: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "look", "arguments": '{"at":1}', **members}


def output(call_id: str = "call_1", result: Any = "seen") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": result}


def ran(item_id: str = "mcp_1", **members: Any) -> dict[str, Any]:
    return {"type": "mcp_call", "id": item_id, "name": "pay", "arguments": "{}", "server_label": "agent", **members}


def thought(item_id: str = "rs_1", **members: Any) -> dict[str, Any]:
    sealed = seal(Thought(f"provider_{item_id}", "sealed"))
    return {"type": "reasoning", "id": item_id, "summary": [], "encrypted_content": sealed, **members}


def called(call_id: str) -> tuple[str, str, str]:
    return ("function_call", call_id, "look")


def result(call_id: str, text: str = "seen") -> tuple[str, str, str]:
    return ("function_result", call_id, text)


def test_a_string_is_one_message_of_the_user() -> None:
    """The simplest form."""
    request = parse({"input": "Hello"})
    assert told(request.messages) == [("user", ["Hello"])]
    assert request.origins == ("input",)


@pytest.mark.parametrize(
    "content",
    ["Hello", [{"type": "input_text", "text": "Hello"}], [{"type": "output_text", "text": "Hello", "logprobs": None}]],
)
@pytest.mark.parametrize("kind", [{}, {"type": "message"}, {"type": None}])
def test_a_message_needs_no_type_and_its_content_may_be_a_string_or_parts(content: Any, kind: dict[str, Any]) -> None:
    """Two official clients send messages without `type` in every request."""
    assert told(read({"role": "user", "content": content, **kind}).messages) == [("user", ["Hello"])]


@pytest.mark.parametrize(
    ("role", "expected"),
    [("user", "user"), ("assistant", "assistant"), ("system", "system"), ("developer", "system")],
)
def test_roles_are_kept_and_developers_are_of_the_rank_of_the_system(role: str, expected: str) -> None:
    """Agent Framework's clients know no developers."""
    assert told(read({"role": role, "content": "Hi"}).messages) == [(expected, ["Hi"])]


def test_an_output_message_comes_back_with_what_a_client_stored() -> None:
    """Annotations, log probabilities, ids and states are passed over."""
    item = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": None,
        "content": [
            {
                "type": "output_text",
                "text": "Hi",
                "annotations": [{"type": "url_citation", "url": "x", "title": "X", "start_index": 0, "end_index": 1}],
                "logprobs": [{"token": "Hi", "bytes": [1], "logprob": -1, "top_logprobs": []}],
            }
        ],
    }
    (message,) = read(item).messages
    assert told([message]) == [("assistant", ["Hi"])]
    assert message.message_id is None


def test_a_refusal_is_text_with_the_cores_mark() -> None:
    """Agent Framework tells refusals from answers by it."""
    (message,) = read({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}).messages
    assert message.contents[0].text == "No."
    assert message.contents[0].additional_properties == {"core": {"model_output_kind": "refusal"}}


def test_several_parts_stay_several_contents() -> None:
    """Nothing is glued together."""
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert told(read({"role": "user", "content": parts}).messages) == [("user", ["a", "b"])]


def test_parallel_calls_are_one_message_and_so_are_their_results() -> None:
    """A model must see that it asked for both at once."""
    messages = read(user(), call("a"), call("b"), output("b"), output("a")).messages
    assert told(messages[1:]) == [("assistant", [called("a"), called("b")]), ("tool", [result("b"), result("a")])]
    assert messages[1].contents[0].arguments == '{"at":1}'


def test_calls_one_after_the_other_stay_apart() -> None:
    """The second was made knowing the first one's result."""
    messages = read(user(), call("a"), output("a"), call("b"), output("b")).messages
    assert told(messages[1:]) == [
        ("assistant", [called("a")]),
        ("tool", [result("a")]),
        ("assistant", [called("b")]),
        ("tool", [result("b")]),
    ]


def test_a_call_made_while_another_is_open_joins_it() -> None:
    """Every result stands right behind the message with its call."""
    messages = read(user(), call("a"), call("b"), output("a"), call("c"), output("b"), output("c")).messages
    assert told(messages[1:]) == [
        ("assistant", [called("a"), called("b"), called("c")]),
        ("tool", [result("a"), result("b"), result("c")]),
    ]


def test_what_the_assistant_says_between_call_and_result_stays_with_the_call() -> None:
    """Nothing may stand between a call and its result."""
    messages = read(user(), call("a"), {"role": "assistant", "content": "Wait"}, output("a")).messages
    assert told(messages[1:]) == [("assistant", [called("a"), "Wait"]), ("tool", [result("a")])]


def test_what_the_assistant_says_before_a_call_is_a_message_of_its_own() -> None:
    """Order is kept."""
    messages = read(user(), {"role": "assistant", "content": "Let me see"}, call("a"), output("a")).messages
    assert told(messages[1:]) == [("assistant", ["Let me see"]), ("assistant", [called("a")]), ("tool", [result("a")])]


def test_a_result_may_be_text_parts() -> None:
    """They stay apart in the items of the result."""
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    content = read(user(), call(), output(result=parts)).messages[-1].contents[0]
    assert [item.text for item in content.items or []] == ["a", "b"]


@pytest.mark.parametrize("empty", ["", []])
def test_an_empty_result_is_a_result(empty: Any) -> None:
    """A tool that returns nothing has answered."""
    content = read(user(), call(), output(result=empty)).messages[-1].contents[0]
    assert (content.type, content.result) == ("function_result", "")


def test_the_same_call_id_may_serve_again_once_it_is_answered() -> None:
    """Some models number their calls anew in every turn."""
    request = read(user(), call("0"), output("0"), user(), call("0"), output("0", "again"))
    assert told(request.messages)[-1] == ("tool", [result("0", "again")])


def test_answers_to_earlier_turns_keep_their_places_around_what_the_user_says() -> None:
    """Who speaks ends what was going on before."""
    items = [output("a"), user("And?"), output("b"), {"role": "assistant", "content": "So"}, output("c")]
    request = parse({"input": items, "previous_response_id": "resp_1"})
    assert [message.role for message in request.messages] == ["tool", "user", "tool", "assistant", "tool"]


def test_calls_and_answers_are_listed_with_their_places() -> None:
    """So that a channel can match answers with the calls of earlier turns."""
    request = parse({"input": [output("earlier"), call("a"), output("a")], "previous_response_id": "resp_1"})
    assert request.declared_calls == {"a": "input[1]"}
    assert request.answered_calls == {"earlier": "input[0]", "a": "input[2]"}


def test_a_call_that_nobody_answers_is_refused() -> None:
    """A model could not go on from there."""
    error = refusal(user(), call("a"), call("b"), output("a"))
    assert error.param == "input[2]"
    assert "'b'" in error.message


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ((call("a"), output("a"), output("a")), "input[2].call_id"),
        ((call("a"), call("a"), output("a")), "input[1].call_id"),
        ((output("a"), call("a"), output("a")), "input[1].call_id"),
    ],
)
def test_calls_and_answers_that_do_not_pair_are_refused(items: tuple[Any, ...], param: str) -> None:
    """Answered twice, made twice, answered before it is made."""
    error = refusal(*items)
    assert (error.param, error.detail_code) == (param, "invalid_value")


def test_a_call_that_the_agent_ran_comes_back_as_call_and_result() -> None:
    """Every item that this server sends is accepted again."""
    item = ran(output="paid", error=None, status="completed", approval_request_id=None)
    request = read(user(), item, {"role": "assistant", "content": "Done"}, user("Thanks"))
    assert told(request.messages[1:]) == [
        ("assistant", [("function_call", "mcp_1", "pay")]),
        ("tool", [result("mcp_1", "paid")]),
        ("assistant", ["Done"]),
        ("user", ["Thanks"]),
    ]
    assert (request.declared_calls, request.answered_calls) == ({}, {})


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"error": "no money"}, "no money"),
        (
            {"error": {"type": "http_error", "code": 402, "message": "pay"}},
            '{"type": "http_error", "code": 402, "message": "pay"}',
        ),
        ({}, ""),
        ({"output": None, "status": "incomplete"}, ""),
    ],
)
def test_a_call_of_the_agents_that_failed_has_its_error_as_result(members: dict[str, Any], text: str) -> None:
    """A call without any result would be taken for an open one."""
    content = read(user(), ran(**members)).messages[-1].contents[0]
    assert (content.type, content.result) == ("function_result", text)


def test_a_call_of_the_agents_beside_an_open_one_joins_it() -> None:
    """The agent ran its own tool and asked for the caller's in one breath."""
    messages = read(user(), call("a"), ran(output="paid"), output("a")).messages
    assert told(messages[1:]) == [
        ("assistant", [called("a"), ("function_call", "mcp_1", "pay")]),
        ("tool", [result("mcp_1", "paid"), result("a")]),
    ]


def test_sealed_reasoning_comes_back_before_what_it_led_to() -> None:
    """The provider's id and its seal belong together; what was shown of it is kept apart."""
    item = thought(summary=[{"type": "summary_text", "text": "S"}], content=[{"type": "reasoning_text", "text": "R"}])
    message = read(user(), item, call("a"), output("a")).messages[1]
    assert told([message]) == [
        ("assistant", [("text_reasoning", "provider_rs_1", "R"), ("text_reasoning", "provider_rs_1", "S"), called("a")])
    ]
    first, second, _ = message.contents
    assert (first.protected_data, second.protected_data) == ("sealed", None)
    assert first.additional_properties == {"openai": {"reasoning_text": True}}


def test_sealed_reasoning_without_words_keeps_its_seal() -> None:
    """The commonest case: nothing but the seal."""
    message = read(user(), thought(), {"role": "assistant", "content": "Hi"}).messages[1]
    assert [(content.type, content.protected_data) for content in message.contents] == [
        ("text_reasoning", "sealed"),
        ("text", None),
    ]


@pytest.mark.parametrize("following", [[user()], []])
def test_reasoning_that_led_to_nothing_is_left_out_and_listed(following: list[Any]) -> None:
    """A run that was cut after thinking: OpenAI refuses a thought without what followed from it."""
    request = read(user(), thought(), *following)
    assert [message.role for message in request.messages] == ["user"] * (1 + len(following))
    assert request.without_effect == ("input[1]",)


def test_reasoning_between_a_call_and_its_result_is_left_out_and_listed() -> None:
    """Nothing may stand between the two, and nothing followed from it."""
    request = read(user(), call("a"), thought(), output("a"))
    assert told(request.messages[1:]) == [("assistant", [called("a")]), ("tool", [result("a")])]
    assert request.without_effect == ("input[2]",)


@pytest.mark.parametrize("sealed", [None, "gAAAAB", "af1.", "af1.9.rs_1"])
def test_reasoning_that_no_model_could_read_again_is_left_out_and_listed(sealed: str | None) -> None:
    """Only what was sealed for this server can be given back to the model that had it."""
    request = read(user(), thought(encrypted_content=sealed), user("And?"))
    assert [message.role for message in request.messages] == ["user", "user"]
    assert request.without_effect == ("input[1]",)


def test_reasoning_without_an_id_of_the_providers_comes_back_without_one() -> None:
    """Not every provider names its thoughts."""
    sealed = seal(Thought("", '"sealed"'))
    message = read(user(), thought(encrypted_content=sealed), {"role": "assistant", "content": "Hi"}).messages[1]
    assert (message.contents[0].id, message.contents[0].protected_data) == (None, '"sealed"')


def test_no_id_of_an_item_becomes_the_id_of_a_message() -> None:
    """Agent Framework drops what has an id that it has seen."""
    items = [{**user(), "id": "msg_1"}, call("a", id="fc_1"), {**output("a"), "id": "fco_1"}, ran(), thought()]
    assert {message.message_id for message in read(*items).messages} == {None}


def test_origins_name_the_item_that_began_each_message() -> None:
    """A policy can say which item it dropped."""
    assert read({"role": "system", "content": "S"}, call("a"), call("b"), output("a"), output("b"), user()).origins == (
        "input[0]",
        "input[1]",
        "input[3]",
        "input[5]",
    )


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_without_parts_says_nothing(role: str) -> None:
    """It is passed over; when nothing else was sent, the input is empty."""
    silent: dict[str, Any] = {"role": role, "content": []}
    assert told(read(silent, user()).messages) == [("user", ["Hello"])]
    assert refusal(silent).param == "input"


MALFORMED: list[tuple[Any, str, str]] = [
    ("Hello", "input[1]", "invalid_type"),
    (None, "input[1]", "invalid_type"),
    ({}, "input[1].type", "missing_required_parameter"),
    ({"type": 5}, "input[1].type", "invalid_type"),
    ({"type": "poem"}, "input[1].type", "invalid_value"),
    ({"type": "message", "content": "x"}, "input[1].role", "missing_required_parameter"),
    ({"role": "user"}, "input[1].content", "missing_required_parameter"),
    ({"role": "user", "content": None}, "input[1].content", "missing_required_parameter"),
    ({"role": "user", "content": 5}, "input[1].content", "invalid_type"),
    ({"role": "tool", "content": "x"}, "input[1].role", "invalid_value"),
    ({"role": 5, "content": "x"}, "input[1].role", "invalid_type"),
    ({"role": "user", "content": ["x"]}, "input[1].content[0]", "invalid_type"),
    ({"role": "user", "content": [{}]}, "input[1].content[0].type", "missing_required_parameter"),
    ({"role": "user", "content": [{"type": "poem"}]}, "input[1].content[0].type", "invalid_value"),
    (
        {"role": "user", "content": [{"type": "input_text"}]},
        "input[1].content[0].text",
        "missing_required_parameter",
    ),
    ({"role": "user", "content": [{"type": "input_text", "text": 5}]}, "input[1].content[0].text", "invalid_type"),
    (
        {"role": "user", "content": [{"type": "refusal", "refusal": "x"}]},
        "input[1].content[0].type",
        "invalid_value",
    ),
    (call(call_id=""), "input[1].call_id", "invalid_value"),
    (call(name=None), "input[1].name", "missing_required_parameter"),
    (call(arguments={}), "input[1].arguments", "invalid_type"),
    (output("x", None), "input[1].output", "missing_required_parameter"),
    (output("x", 5), "input[1].output", "invalid_type"),
    (output("x", [{"type": "refusal", "refusal": "x"}]), "input[1].output[0].type", "invalid_value"),
    ({"type": "function_call_output", "output": "x"}, "input[1].call_id", "missing_required_parameter"),
    (thought(summary="x"), "input[1].summary", "invalid_type"),
    (thought(summary=[{"type": "text", "text": "x"}]), "input[1].summary[0].type", "invalid_value"),
    (thought(content=[5]), "input[1].content[0]", "invalid_type"),
    (thought(encrypted_content=5), "input[1].encrypted_content", "invalid_type"),
    (ran(name=""), "input[1].name", "invalid_value"),
    (ran(output=5), "input[1].output", "invalid_type"),
    (ran(error=5), "input[1].error", "invalid_type"),
]


@pytest.mark.parametrize(("item", "param", "code"), MALFORMED)
def test_a_malformed_item_is_refused_where_it_stands(item: object, param: str, code: str) -> None:
    """The second item is wrong, and named."""
    error = refusal(user(), item)
    assert (error.param, error.detail_code) == (param, code)


NOT_READ: list[tuple[dict[str, Any], str]] = [
    ({"type": "additional_tools", "role": "developer", "tools": []}, "input[0]"),
    ({"type": "compaction_trigger"}, "input[0]"),
    ({"type": "configuration_update"}, "input[0]"),
    ({"role": "user", "content": [{"type": "computer_screenshot", "image_url": "x"}]}, "input[0].content[0]"),
]


@pytest.mark.parametrize(("item", "param"), NOT_READ)
def test_what_is_not_read_yet_is_refused_not_passed_over(item: dict[str, Any], param: str) -> None:
    """What would change the agent, or stand for a past that nobody has, must not look as if it had been heard."""
    error = refusal(item)
    assert (error.param, error.detail_code) == (param, "unsupported_content")
    assert "not supported by this server yet" in error.message


@pytest.mark.parametrize("value", [5, True, {}, {"role": "user", "content": "x"}])
def test_an_input_that_is_neither_text_nor_a_list_is_refused(value: object) -> None:
    """One item is not a list of one."""
    with pytest.raises(InvalidRequest) as caught:
        parse({"input": value})
    assert (caught.value.param, caught.value.detail_code) == ("input", "invalid_type")
