"""The items of a response as types, as they are sent; see `vocabulary`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

_SpokenStatus: TypeAlias = Literal["in_progress", "completed", "incomplete"]
_ToolStatus: TypeAlias = Literal["in_progress", "completed", "incomplete", "failed"]
_WholeStatus: TypeAlias = Literal["in_progress", "completed"]


class UrlCitation(TypedDict):
    """An address from which a text has something."""

    type: Literal["url_citation"]
    url: str
    title: str
    start_index: int
    end_index: int


class FileCitation(TypedDict):
    """A file from which a text has something."""

    type: Literal["file_citation"]
    file_id: str
    filename: str
    index: int


class FilePath(TypedDict):
    """A file that a text names."""

    type: Literal["file_path"]
    file_id: str
    index: int


class ContainerFileCitation(TypedDict):
    """A file in a container from which a text has something."""

    type: Literal["container_file_citation"]
    container_id: str
    file_id: str
    filename: str
    start_index: int
    end_index: int


Annotation: TypeAlias = UrlCitation | FileCitation | FilePath | ContainerFileCitation


class OutputText(TypedDict):
    """Text of a message."""

    type: Literal["output_text"]
    text: str
    annotations: list[Annotation]
    logprobs: list[Any]


class Refusal(TypedDict):
    """Words in which the model refused."""

    type: Literal["refusal"]
    refusal: str


class SummaryText(TypedDict):
    """What the model thought, in short."""

    type: Literal["summary_text"]
    text: str


class ReasoningText(TypedDict):
    """What the model thought."""

    type: Literal["reasoning_text"]
    text: str


class Message(TypedDict):
    """What the assistant says."""

    id: str
    type: Literal["message"]
    status: _SpokenStatus
    role: Literal["assistant"]
    content: list[OutputText | Refusal]


class Reasoning(TypedDict):
    """What the model thought, where the provider shows it."""

    id: str
    type: Literal["reasoning"]
    status: _SpokenStatus
    summary: list[SummaryText]
    content: NotRequired[list[ReasoningText]]
    encrypted_content: NotRequired[str]


class FunctionCall(TypedDict):
    """A call that the client answers with a `function_call_output`."""

    id: str
    type: Literal["function_call"]
    status: _SpokenStatus
    name: str
    arguments: str
    call_id: str


class CustomToolCall(TypedDict):
    """A call that the client answers with a `custom_tool_call_output`."""

    id: str
    type: Literal["custom_tool_call"]
    status: _SpokenStatus
    call_id: str
    name: str
    input: str


class ExecutionErrorText(TypedDict):
    """Words about an error."""

    type: Literal["text"]
    text: str


class ExecutionError(TypedDict):
    """Why a call failed."""

    type: Literal["mcp_tool_execution_error"]
    content: list[ExecutionErrorText]


class McpCall(TypedDict):
    """A call that the agent, or the model's provider, ran itself."""

    id: str
    type: Literal["mcp_call"]
    status: Literal["in_progress", "calling", "completed", "failed"]
    name: str
    arguments: str
    server_label: str
    output: str | None
    error: ExecutionError | None
    approval_request_id: str | None


class McpApprovalRequest(TypedDict):
    """A call that waits for an `mcp_approval_response`."""

    id: str
    type: Literal["mcp_approval_request"]
    name: str
    arguments: str
    server_label: str


class CodeLogs(TypedDict):
    """What code has printed."""

    type: Literal["logs"]
    logs: str


class CodeImage(TypedDict):
    """A picture that code has made."""

    type: Literal["image"]
    url: str


class CodeInterpreterCall(TypedDict):
    """Code that the model's provider ran."""

    id: str
    type: Literal["code_interpreter_call"]
    status: _ToolStatus
    code: str
    container_id: str
    outputs: list[CodeLogs | CodeImage] | None


class ImageGenerationCall(TypedDict):
    """A picture, in base64."""

    id: str
    type: Literal["image_generation_call"]
    status: Literal["in_progress", "completed", "failed"]
    result: str | None


class WebSearchCall(TypedDict):
    """A search in the web; what is done is in `action`, as the provider told it."""

    id: str
    type: Literal["web_search_call"]
    status: _ToolStatus
    action: dict[str, Any]


class FoundFile(TypedDict):
    """What a search in files has found."""

    file_id: str | None
    filename: str | None
    text: str | None
    score: float | None
    attributes: dict[str, str | float | bool] | None


class FileSearchCall(TypedDict):
    """A search in files."""

    id: str
    type: Literal["file_search_call"]
    status: _ToolStatus
    queries: list[str]
    results: list[FoundFile] | None


class ShellAction(TypedDict):
    """Commands."""

    commands: list[str]
    max_output_length: int | None
    timeout_ms: int | None


class ShellCall(TypedDict):
    """Commands of a shell that the model's provider ran."""

    id: str
    type: Literal["shell_call"]
    status: _WholeStatus
    call_id: str
    action: ShellAction
    environment: None


class Exited(TypedDict):
    """A command came to its end."""

    type: Literal["exit"]
    exit_code: int


class TimedOut(TypedDict):
    """A command took too long."""

    type: Literal["timeout"]


class CommandOutput(TypedDict):
    """What a command wrote."""

    stdout: str
    stderr: str
    outcome: Exited | TimedOut


class ShellCallOutput(TypedDict):
    """What commands of a shell wrote."""

    id: str
    type: Literal["shell_call_output"]
    status: _WholeStatus
    call_id: str
    max_output_length: int | None
    output: list[CommandOutput]


class SafetyCheck(TypedDict):
    """What is to be looked at before actions are carried out."""

    id: str
    code: NotRequired[str]
    message: NotRequired[str]


class ComputerCall(TypedDict):
    """Actions at a computer, which the client carries out."""

    id: str
    type: Literal["computer_call"]
    status: _WholeStatus
    call_id: str
    actions: list[dict[str, Any]]
    pending_safety_checks: list[SafetyCheck]


class Screenshot(TypedDict):
    """What is to be seen at a computer."""

    type: Literal["computer_screenshot"]
    file_id: NotRequired[str]
    image_url: NotRequired[str]


class ComputerCallOutput(TypedDict):
    """What actions at a computer led to."""

    id: str
    type: Literal["computer_call_output"]
    status: _WholeStatus
    call_id: str
    output: Screenshot
    acknowledged_safety_checks: list[SafetyCheck]


OutputItem: TypeAlias = (
    Message
    | Reasoning
    | FunctionCall
    | CustomToolCall
    | McpCall
    | McpApprovalRequest
    | CodeInterpreterCall
    | ImageGenerationCall
    | WebSearchCall
    | FileSearchCall
    | ShellCall
    | ShellCallOutput
    | ComputerCall
    | ComputerCallOutput
)
