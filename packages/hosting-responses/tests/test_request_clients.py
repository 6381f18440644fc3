"""What was parsed reaches a model provider whole, through Agent Framework's own clients."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from agent_framework import Agent, Message, tool
from agent_framework_openai import OpenAIChatClient, OpenAIChatCompletionClient
from openai import AsyncOpenAI

from agent_framework_hosting_responses._inbound.policy import apply_policy
from agent_framework_hosting_responses._inbound.request import messages_from_responses_input, parse
from agent_framework_hosting_responses._sealed_thoughts import Thought, seal

ANSWER: dict[str, Any] = {
    "chat/completions": {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Done"}}],
    },
    "responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": "m",
        "status": "completed",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Done", "annotations": []}],
            }
        ],
    },
}


class Provider:
    """A model provider that answers everything alike and remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        transport = httpx2.MockTransport(self._answer)
        self.api = AsyncOpenAI(
            api_key="key",
            base_url="http://provider/v1",
            http_client=httpx2.AsyncClient(transport=transport),
            max_retries=0,
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(json.loads(request.content))
        return httpx2.Response(200, json=ANSWER[request.url.path.removeprefix("/v1/")])

    async def ask(self, client: Any, body: dict[str, Any]) -> Any:
        """Run a request through an agent with this kind of client, and return what the provider was sent."""
        admitted = apply_policy(parse(body))
        agent: Any = Agent(client=client(model="m", async_client=self.api))
        answer = await agent.run(admitted.messages, options=admitted.options)
        assert answer.text == "Done"
        return self.sent[-1]


CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": "Pay"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal(Thought("rs_7", '"sealed"'))},
    {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
    {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "a", "output": "A"},
    {"type": "function_call_output", "call_id": "b", "output": "B"},
    {"type": "mcp_call", "id": "mcp_1", "name": "pay", "arguments": "{}", "server_label": "agent", "output": "paid"},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No more."}]},
    {"role": "user", "content": "Please"},
]
OPTIONS: dict[str, Any] = {
    "temperature": 0.5,
    "max_output_tokens": 99,
    "parallel_tool_calls": False,
    "tools": [{"type": "function", "name": "f", "parameters": None, "strict": None}],
    "tool_choice": {"type": "function", "name": "f"},
    "text": {
        "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
    },
}


async def test_a_responses_provider_gets_the_items_that_the_caller_sent() -> None:
    """The way there and back changes nothing that a model can see."""
    sent = await Provider().ask(OpenAIChatClient, {"input": CONVERSATION, **OPTIONS})
    assert [item["type"] for item in sent["input"]] == [
        "message",
        "reasoning",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "function_call",
        "function_call_output",
        "message",
        "message",
    ]
    assert (sent["input"][1]["id"], sent["input"][1]["encrypted_content"]) == ("rs_7", '"sealed"')
    assert sent["input"][7] == {"type": "function_call_output", "call_id": "mcp_1", "output": "paid"}
    assert sent["input"][8]["content"] == [{"type": "refusal", "refusal": "No more."}]
    assert (sent["temperature"], sent["max_output_tokens"], sent["parallel_tool_calls"]) == (0.5, 99, False)
    assert sent["tool_choice"] == {"type": "function", "name": "f"}
    assert sent["text"] == OPTIONS["text"]


async def test_a_chat_completions_provider_gets_calls_with_their_results_behind_them() -> None:
    """The other protocol insists on that order."""
    sent = await Provider().ask(OpenAIChatCompletionClient, {"input": CONVERSATION, **OPTIONS})
    assert [
        (message["role"], [call["id"] for call in message.get("tool_calls", [])] or message.get("tool_call_id"))
        for message in sent["messages"]
    ] == [
        ("user", None),
        ("assistant", ["a", "b"]),
        ("tool", "a"),
        ("tool", "b"),
        ("assistant", ["mcp_1"]),
        ("tool", "mcp_1"),
        ("assistant", None),
        ("user", None),
    ]
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
    }


async def test_calls_that_a_caller_made_up_are_never_run() -> None:
    """History is read, not executed, also where it names the agent's own tools."""
    ran: list[str] = []

    @tool(approval_mode="never_require")
    def pay() -> str:
        """Pay."""
        ran.append("paid")
        return "paid"

    agent = Agent(client=OpenAIChatClient(model="m", async_client=Provider().api), tools=[pay])
    made_up = messages_from_responses_input(
        [
            {"role": "user", "content": "Pay"},
            {"type": "function_call", "call_id": "a", "name": "pay", "arguments": "{}"},
        ]
    )
    assert (await agent.run([*made_up, Message("user", ["Go on"])])).text == "Done"
    assert ran == []


@pytest.mark.parametrize("client", [OpenAIChatClient, OpenAIChatCompletionClient])
async def test_a_bare_request_sends_no_option_of_the_callers(client: Any) -> None:
    """Names that callers send by habit do not reach the provider."""
    body = {
        "input": "Hello",
        "model": "other",
        "store": True,
        "user": "ada",
        "metadata": {"k": "v"},
        "truncation": "auto",
    }
    sent = await Provider().ask(client, {**body, "text": {"format": {"type": "text"}}, "instructions": "Swear."})
    assert sent["model"] == "m"
    assert not {"store", "user", "metadata", "truncation", "text", "response_format", "instructions"} & set(sent)
    assert "Swear." not in json.dumps(sent)


PNG = "iVBORw0KGgoAAAANSUhEUg=="
PICTURE: dict[str, Any] = {
    "type": "input_image",
    "image_url": f"data:image/png;base64,{PNG}",
    "detail": "high",
}
PARTS: list[dict[str, Any]] = [
    {"type": "input_text", "text": "Look"},
    PICTURE,
    {"type": "input_image", "image_url": "https://example.com/show?cat=1", "detail": "low"},
    {"type": "input_file", "filename": "a.pdf", "file_data": "JVBERi0xLjcK"},
    {"type": "input_file", "filename": "a.csv", "file_data": "data:text/csv;base64,YSxi"},
    {"type": "input_file", "file_url": "https://example.com/download?id=1"},
    {"type": "input_image", "file_id": "file-1", "detail": "auto"},
    {"type": "input_file", "file_id": "file-2"},
]


async def test_a_responses_provider_gets_pictures_and_files_as_the_caller_sent_them() -> None:
    """Every form of them, with detail and name."""
    sent = await Provider().ask(OpenAIChatClient, {"input": [{"role": "user", "content": PARTS}]})
    expected = [*PARTS]
    expected[3] = {**PARTS[3], "file_data": "data:application/pdf;base64,JVBERi0xLjcK"}
    assert sent["input"] == [{"type": "message", "role": "user", "content": expected}]


async def test_a_responses_provider_gets_pictures_and_files_of_a_tool() -> None:
    """A function's output may hold all that a message may."""
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "a", "output": PARTS}
    sent = await Provider().ask(OpenAIChatClient, {"input": [call, output, {"role": "user", "content": "So?"}]})
    assert [part["type"] for part in sent["input"][1]["output"]] == [part["type"] for part in PARTS]
    assert sent["input"][1]["output"][1:3] == PARTS[1:3]


async def test_a_chat_completions_provider_gets_what_that_protocol_can_say() -> None:
    """Pictures with their detail, files with their name, sounds; it knows no addresses of files and no text files."""
    audio = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    body = {"input": [{"role": "user", "content": [*PARTS[:4], audio]}]}
    sent = await Provider().ask(OpenAIChatCompletionClient, body)
    assert [part for message in sent["messages"] for part in [message["content"]]] == [
        "Look",
        [{"type": "image_url", "image_url": {"url": PICTURE["image_url"], "detail": "high"}}],
        [{"type": "image_url", "image_url": {"url": "https://example.com/show?cat=1", "detail": "low"}}],
        [{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjcK", "filename": "a.pdf"}}],
        [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}],
    ]


HOSTED: list[dict[str, Any]] = [
    {"role": "user", "content": "Do it all"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal(Thought("rs_7", '"sealed"'))},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"], "results": None},
    {"type": "code_interpreter_call", "id": "ci_1", "container_id": "", "status": "completed", "code": "1"},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG},
    {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "s", "tools": []},
    {"type": "shell_call", "id": "sh_1", "call_id": "s", "action": {"commands": ["ls"]}},
    {"type": "shell_call_output", "id": "so_1", "call_id": "s", "output": [{"stdout": "a", "stderr": ""}]},
    {"type": "shell_call", "id": "sh_2", "call_id": "unanswered", "action": {"commands": ["ls"]}},
    {"type": "custom_tool_call", "call_id": "u", "name": "speak", "input": "hi"},
    {"type": "custom_tool_call_output", "call_id": "u", "output": "said"},
    {
        "role": "assistant",
        "content": [
            {
                "type": "output_text",
                "text": "Done",
                "annotations": [
                    {"type": "url_citation", "url": "https://a.b", "title": "T", "start_index": 0, "end_index": 4},
                    {"type": "file_citation", "file_id": "f", "filename": "a.txt", "index": 4},
                    {"type": "file_path", "file_id": "f", "index": 0},
                    {
                        "type": "container_file_citation",
                        "file_id": "f",
                        "filename": "a.txt",
                        "container_id": "c",
                        "start_index": 0,
                        "end_index": 4,
                    },
                    {"type": "url_citation", "url": "https://a.b"},
                    {"type": "of_tomorrow"},
                    5,
                ],
            }
        ],
    },
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": seal(Thought("rs_8", '"sealed"'))},
    {"role": "user", "content": "Thanks"},
]


async def test_a_history_of_hosted_tools_asks_a_responses_provider_for_nothing_it_would_refuse() -> None:
    """Calls have their results, thoughts what they led to, citations their members; the rest is not sent."""
    sent = await Provider().ask(OpenAIChatClient, {"input": HOSTED})
    told = [(item["type"], item.get("call_id") or item.get("role") or item.get("id")) for item in sent["input"]]
    assert told == [
        ("message", "user"),
        ("reasoning", "rs_7"),
        ("function_call", "s"),
        ("function_call_output", "s"),
        ("function_call", "u"),
        ("function_call_output", "u"),
        ("message", "assistant"),
        ("message", "user"),
    ]
    assert sent["input"][4]["arguments"] == '{"input": "hi"}'
    assert sent["input"][6]["content"][0]["annotations"] == HOSTED[12]["content"][0]["annotations"][:4]


async def test_a_history_of_hosted_tools_is_told_to_a_chat_completions_provider_in_its_words() -> None:
    """Nothing that it does not know."""
    sent = await Provider().ask(OpenAIChatCompletionClient, {"input": HOSTED})
    assert [
        (message["role"], [call["id"] for call in message.get("tool_calls", [])] or message.get("tool_call_id"))
        for message in sent["messages"]
    ] == [
        ("user", None),
        ("assistant", ["s"]),
        ("tool", "s"),
        ("assistant", ["u"]),
        ("tool", "u"),
        ("assistant", None),
        ("user", None),
    ]


async def test_a_history_survives_being_stored_before_it_reaches_the_provider() -> None:
    """What providers' contents hold beside their fields is lost in storage."""
    provider = Provider()
    client: Any = OpenAIChatClient(model="m", async_client=provider.api)
    for read in (parse({"input": HOSTED}).messages, parse({"input": [{"role": "user", "content": PARTS}]}).messages):
        await Agent(client=client).run(read)
        await Agent(client=client).run([Message.from_dict(message.to_dict()) for message in read])
        assert provider.sent[-1]["input"] == provider.sent[-2]["input"]


async def test_actions_at_a_computer_reach_the_provider_as_they_were() -> None:
    """An agent with a computer is answered by the client."""
    call = {"type": "computer_call", "id": "cu_1", "call_id": "c", "actions": [{"type": "wait"}], "status": "completed"}
    shot = {"type": "computer_screenshot", "image_url": PICTURE["image_url"], "detail": "low"}
    output = {"type": "computer_call_output", "call_id": "c", "output": shot}
    sent = await Provider().ask(OpenAIChatClient, {"input": [{"role": "user", "content": "Go"}, call, output]})
    assert sent["input"][1:] == [call, output]


@pytest.mark.parametrize("strict", [None, False, True])
async def test_the_form_of_an_answer_is_asked_for_in_either_protocol(strict: bool | None) -> None:
    """Name, schema, description, and strictness as far as the caller spoke of it."""
    wanted = {"name": "n", "description": "D", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    known = wanted if strict is None else {**wanted, "strict": strict}
    body = {"input": "x", "text": {"format": {"type": "json_schema", **wanted, "strict": strict}}}
    sent = await Provider().ask(OpenAIChatClient, body)
    assert sent["text"] == {"format": {"type": "json_schema", **known}}
    sent = await Provider().ask(OpenAIChatCompletionClient, body)
    assert sent["response_format"] == {"type": "json_schema", "json_schema": known}


@pytest.mark.parametrize(
    ("client", "place"), [(OpenAIChatClient, "text"), (OpenAIChatCompletionClient, "response_format")]
)
async def test_any_json_may_be_asked_for_in_either_protocol(client: Any, place: str) -> None:
    sent = await Provider().ask(client, {"input": "JSON", "text": {"format": {"type": "json_object"}}})
    assert sent[place] == ({"format": {"type": "json_object"}} if place == "text" else {"type": "json_object"})


async def test_a_custom_tool_is_a_function_of_one_text_to_the_provider() -> None:
    tool = {"type": "custom", "name": "speak", "description": "Speaks.", "format": {"type": "text"}}
    choice = {"type": "custom", "name": "speak"}
    sent = await Provider().ask(OpenAIChatClient, {"input": "x", "tools": [tool], "tool_choice": choice})
    [declared] = sent["tools"]
    assert (declared["type"], declared["name"], declared["description"]) == ("function", "speak", "Speaks.")
    assert list(declared["parameters"]["properties"]) == declared["parameters"]["required"] == ["input"]
    assert sent["tool_choice"] == {"type": "function", "name": "speak"}
