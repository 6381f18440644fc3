"""What tools of providers and clients did comes back as history, and breaks nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting_responses._inbound.hosted_items import HOSTED_ITEMS
from agent_framework_hosting_responses._inbound.request import ResponsesRequest, parse

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
SHOT = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"}
USER = {"role": "user", "content": "Hello"}


def code(**members: Any) -> dict[str, Any]:
    return {"type": "code_interpreter_call", "id": "ci_1", "container_id": "", "status": "completed", **members}


def picture(**members: Any) -> dict[str, Any]:
    return {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG, **members}


def web(**members: Any) -> dict[str, Any]:
    action = {"type": "search", "query": "cats"}
    return {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action, **members}


def files(**members: Any) -> dict[str, Any]:
    return {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["cats"], **members}


def shell(call_id: str | None = "s", **members: Any) -> dict[str, Any]:
    return {"type": "shell_call", "id": "sh_1", "call_id": call_id, "action": {"commands": ["ls"]}, **members}


def wrote(call_id: str = "s", **members: Any) -> dict[str, Any]:
    output = [{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    return {"type": "shell_call_output", "call_id": call_id, "output": output, **members}


def local(**members: Any) -> dict[str, Any]:
    action: dict[str, Any] = {"type": "exec", "command": ["ls"], "env": {}}
    return {"type": "local_shell_call", "id": "lsh_1", "call_id": "l", "action": action, **members}


def local_wrote(name: str = "l", **members: Any) -> dict[str, Any]:
    return {"type": "local_shell_call_output", "id": name, "output": "a.txt", **members}


def patch(**members: Any) -> dict[str, Any]:
    operation = {"type": "delete_file", "path": "a.txt"}
    return {"type": "apply_patch_call", "call_id": "p", "status": "completed", "operation": operation, **members}


def patched(**members: Any) -> dict[str, Any]:
    return {"type": "apply_patch_call_output", "call_id": "p", "status": "completed", "output": "gone", **members}


def act(**members: Any) -> dict[str, Any]:
    return {"type": "computer_call", "id": "cu_1", "call_id": "c", "actions": [{"type": "wait"}], **members}


def acted(**members: Any) -> dict[str, Any]:
    return {"type": "computer_call_output", "call_id": "c", "output": SHOT, **members}


def read(*items: Any, **fields: Any) -> ResponsesRequest:
    return parse({"input": [USER, *items], **fields})


def contents(*items: Any) -> list[tuple[str, str]]:
    """Return role and kind of every content after the user's."""
    return [(message.role, content.type) for message in read(*items).messages[1:] for content in message.contents]


# ---------------------------------------------------------------------------------------- what the core has words for
def test_code_comes_back_with_its_logs_and_pictures() -> None:
    item = code(
        code="1 + 1",
        outputs=[{"type": "logs", "logs": "2"}, {"type": "image", "url": "https://example.com/plot.png"}],
    )
    [message] = read(item).messages[1:]
    call, result = message.contents
    assert (call.type, call.call_id, call.status) == ("code_interpreter_tool_call", "ci_1", "completed")
    assert [content.text for content in call.inputs or []] == ["1 + 1"]
    assert (result.type, result.call_id) == ("code_interpreter_tool_result", "ci_1")
    assert [output.text or output.uri for output in result.outputs or []] == ["2", "https://example.com/plot.png"]


def test_code_without_code_and_outputs_is_still_a_call() -> None:
    """Both are left out by default."""
    assert contents(code(code=None, outputs=None)) == [
        ("assistant", "code_interpreter_tool_call"),
        ("assistant", "code_interpreter_tool_result"),
    ]


@pytest.mark.parametrize(("output_format", "media_type"), [(None, "image/png"), ("webp", "image/webp")])
def test_a_made_picture_comes_back_as_data(output_format: str | None, media_type: str) -> None:
    call, result = read(picture(output_format=output_format)).messages[1].contents
    assert (call.type, call.image_id) == ("image_generation_tool_call", "ig_1")
    assert (result.type, result.image_id) == ("image_generation_tool_result", "ig_1")
    made: Any = result.outputs
    assert (made.media_type, made.uri.partition(",")[2]) == (media_type, PNG)


@pytest.mark.parametrize("result", [None, "", "no base64"])
def test_a_picture_that_cannot_be_passed_on_is_left_out(result: str | None) -> None:
    """It is history: the call remains."""
    assert read(picture(result=result)).messages[1].contents[1].outputs is None
    plot = {"type": "image", "url": "sandbox:/plot.png"}
    assert read(code(outputs=[plot])).messages[1].contents[1].outputs == []


def test_searches_come_back_with_what_was_asked_and_found() -> None:
    """As text: no object of a caller's may pass for one of the core's."""
    results = [{"type": "text", "text": "A cat.", "file_id": "f"}]
    asked, found = read(files(results=results)).messages[1].contents
    assert (asked.type, asked.tool_name, json.loads(str(asked.arguments))) == (
        "search_tool_call",
        "file_search",
        {"queries": ["cats"]},
    )
    assert (found.type, json.loads(found.result)) == ("search_tool_result", results)
    asked, found = read(web()).messages[1].contents
    assert (asked.tool_name, json.loads(str(asked.arguments))) == ("web_search", {"type": "search", "query": "cats"})
    assert found.result is None


def test_a_thought_waits_for_what_is_said_behind_a_providers_tool() -> None:
    """Clients of other providers leave the tool out, and a thought that leads to nothing is refused."""
    from agent_framework_hosting_responses._sealed_thoughts import Thought, seal

    thought = {"type": "reasoning", "id": "rs_1", "encrypted_content": seal(Thought("rs_1", "x"))}
    assert contents(thought, web(), {"role": "assistant", "content": "Cats."}) == [
        ("assistant", "search_tool_call"),
        ("assistant", "search_tool_result"),
        ("assistant", "text_reasoning"),
        ("assistant", "text"),
    ]


# ------------------------------------------------------------------------------------------------- calls and results
@pytest.mark.parametrize(
    ("call", "output", "name", "result"),
    [
        (shell(), wrote(), "shell", '[{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]'),
        (local(), local_wrote(), "local_shell", "a.txt"),
        (local(), local_wrote("lsh_1"), "local_shell", "a.txt"),
        (patch(), patched(), "apply_patch", "gone"),
        (patch(), patched(output=None), "apply_patch", ""),
    ],
)
def test_shells_and_patches_are_calls_with_results(call: Any, output: Any, name: str, result: str) -> None:
    """Every provider understands a call with its result; the core's own contents only one."""
    asked, answered = read(call, output).messages[1:]
    assert (asked.role, asked.contents[0].type, asked.contents[0].name) == ("assistant", "function_call", name)
    assert json.loads(str(asked.contents[0].arguments)) == call.get("action", call.get("operation"))
    assert (answered.role, answered.contents[0].type, answered.contents[0].result) == (
        "tool",
        "function_result",
        result,
    )
    assert asked.contents[0].call_id == answered.contents[0].call_id == call["call_id"]


@pytest.mark.parametrize(
    ("items", "unused"),
    [
        ([shell()], ["input[1]"]),
        ([wrote()], ["input[1]"]),
        ([wrote(), shell()], ["input[1]", "input[2]"]),
        ([shell("a"), wrote("b")], ["input[1]", "input[2]"]),
        ([shell("a"), shell("a"), wrote("a")], ["input[1]"]),
        ([shell(), {**wrote(), "type": "apply_patch_call_output"}], ["input[1]", "input[2]"]),
        ([act()], ["input[1]"]),
    ],
)
def test_half_a_pair_is_left_out_and_listed(items: list[Any], unused: list[str]) -> None:
    """A provider refuses a call without a result, and a result without a call."""
    items = [{**item, "output": "x"} if item["type"] == "apply_patch_call_output" else item for item in items]
    assert list(read(*items).without_effect) == unused


def test_pairs_may_interleave() -> None:
    messages = read(shell("a"), shell("b"), wrote("b"), wrote("a")).messages[1:]
    assert [[content.call_id for content in message.contents] for message in messages] == [["a", "b"], ["b", "a"]]


def test_a_computer_is_used_in_the_cores_own_words() -> None:
    """The client carries such calls out, so that their outputs are answers, not history only."""
    checks = [{"id": "1", "code": "malicious", "message": None}]
    asked, answered = read(act(pending_safety_checks=checks), acted(acknowledged_safety_checks=checks)).messages[1:]
    call, result = asked.contents[0], answered.contents[0]
    assert result.screenshot is not None
    assert (call.type, call.id, call.call_id, call.actions) == ("computer_tool_call", "cu_1", "c", [{"type": "wait"}])
    assert (result.type, result.call_id, result.screenshot.media_type) == ("computer_tool_result", "c", "image/png")
    assert call.pending_safety_checks == result.acknowledged_safety_checks == [{"id": "1", "code": "malicious"}]


def test_an_older_form_of_a_computers_action_is_kept() -> None:
    item = act()
    item["action"] = item.pop("actions")[0]
    [call] = read(item, acted()).messages[1].contents
    assert call.actions == [{"type": "wait"}]
    assert call.additional_properties == {"openai": {"computer_action_format": "single"}}


def test_a_screenshot_may_answer_a_call_of_an_earlier_turn() -> None:
    """Whether there was one is for the channel to say."""
    request = read(acted(), previous_response_id="resp_1")
    assert request.answered_calls == {"c": "input[1]"}
    assert request.messages[-1].contents[0].type == "computer_tool_result"


# ------------------------------------------------------------------------------------------------------ and the rest
@pytest.mark.parametrize(
    "item",
    [
        {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": []},
        {"type": "program", "id": "p", "call_id": "c", "code": "x", "fingerprint": "y"},
        {"type": "program_output", "id": "p", "call_id": "c", "result": "x", "status": "completed"},
        {"type": "tool_search_call", "arguments": {}},
        {"type": "tool_search_output", "tools": []},
    ],
)
def test_what_says_nothing_to_an_agent_is_passed_over_and_listed(item: dict[str, Any]) -> None:
    """A client that replays a whole conversation is not refused over it."""
    request = read(item)
    assert len(request.messages) == 1
    assert request.without_effect == ("input[1]",)


MALFORMED: list[tuple[dict[str, Any], str, str]] = [
    (code(id=None), ".id", "missing_required_parameter"),
    (code(code=5), ".code", "invalid_type"),
    (code(outputs=5), ".outputs", "invalid_type"),
    (code(outputs=[5]), ".outputs[0]", "invalid_type"),
    (code(outputs=[{"type": "film"}]), ".outputs[0].type", "invalid_value"),
    (code(outputs=[{"type": "logs"}]), ".outputs[0].logs", "missing_required_parameter"),
    (picture(id=""), ".id", "invalid_value"),
    (picture(result=5), ".result", "invalid_type"),
    (picture(output_format=5), ".output_format", "invalid_type"),
    (web(id=5), ".id", "invalid_type"),
    (web(action="x"), ".action", "invalid_type"),
    (files(queries="x"), ".queries", "invalid_type"),
    (files(queries=[5]), ".queries[0]", "invalid_type"),
    (files(results={"a": 1}), ".results", "invalid_type"),
    (shell(action=None), ".action", "missing_required_parameter"),
    (shell(call_id=None), ".call_id", "missing_required_parameter"),
    (wrote(output=None), ".output", "missing_required_parameter"),
    (wrote(output="x"), ".output", "invalid_type"),
    (wrote(output=["x"]), ".output[0]", "invalid_type"),
    (local(action=[]), ".action", "invalid_type"),
    (local_wrote(output=5), ".output", "invalid_type"),
    (patch(operation=None), ".operation", "missing_required_parameter"),
    (act(id=None), ".id", "missing_required_parameter"),
    (act(actions=[]), ".actions", "invalid_value"),
    (act(actions=[5]), ".actions[0]", "invalid_type"),
    (act(actions=None), ".action", "missing_required_parameter"),
    (act(pending_safety_checks=[{}]), ".pending_safety_checks[0].id", "missing_required_parameter"),
    (acted(output=None), ".output", "missing_required_parameter"),
    (acted(output="x"), ".output", "invalid_type"),
    (acted(output={**SHOT, "image_url": "x"}), ".output.image_url", "invalid_value"),
    (acted(call_id=None), ".call_id", "missing_required_parameter"),
]


@pytest.mark.parametrize(("item", "place", "code"), MALFORMED)
def test_a_malformed_item_is_refused_where_it_stands(item: dict[str, Any], place: str, code: str) -> None:
    """What is read is checked, also where nothing comes of it."""
    with pytest.raises(InvalidRequest) as caught:
        read(item)
    assert (caught.value.param, caught.value.detail_code) == (f"input[1]{place}", code)


def test_every_kind_of_this_file_is_tried() -> None:
    """A new kind asks for its example."""
    examples = [code(), picture(), web(), files(), shell(), wrote(), local(), local_wrote(), patch(), patched()]
    passed_over = {"mcp_list_tools", "program", "program_output", "tool_search_call", "tool_search_output"}
    assert {item["type"] for item in [*examples, act(), acted()]} | passed_over == HOSTED_ITEMS.keys()


@pytest.mark.parametrize("odd", [[], {}, [["x"]], 5, True])
@pytest.mark.parametrize("call", [local, shell, patch])
def test_an_id_of_any_kind_breaks_no_pair(call: Any, odd: Any) -> None:
    """Members that say nothing to an agent are passed over, whatever they hold."""
    assert parse({"input": [USER, call(id=odd)]}).messages
