"""The words of the protocol as types: a response, its items and the events of its stream, as they are sent.

Every event and every body that the tests of this half see is held against these, so that the document that is made
from them says what is really sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NotRequired, TypeAlias, TypedDict

from .words import ErrorCode, IncompleteReason, ResponseStatus

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


class InputTokensDetails(TypedDict):
    """Tokens that were read, more closely."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """Tokens that were written, more closely."""

    reasoning_tokens: int


class Usage(TypedDict):
    """What an answer has cost, in tokens."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(TypedDict):
    """Why a response failed; of a refusal `reason` is the code that it has as an answer of its own."""

    code: ErrorCode
    message: str
    reason: NotRequired[str]


class IncompleteDetails(TypedDict):
    """Why a response is not whole."""

    reason: IncompleteReason


class InConversation(TypedDict):
    """The conversation that a response belongs to."""

    id: str


class ShownFunction(TypedDict):
    """A function of the caller's."""

    type: Literal["function"]
    name: str
    description: NotRequired[str | None]
    parameters: dict[str, Any] | None
    strict: bool | None


class ShownCustomTool(TypedDict):
    """A custom tool of the caller's."""

    type: Literal["custom"]
    name: str
    description: NotRequired[str]
    format: dict[str, Any]


class TextSettings(TypedDict):
    """In which form an answer is given."""

    format: dict[str, Any]
    verbosity: NotRequired[str]


class Response(TypedDict):
    """A response, whole or as far as it has come. What was not set is null."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: ResponseStatus
    incomplete_details: IncompleteDetails | None
    error: ResponseError | None
    model: str
    previous_response_id: str | None
    output: list[OutputItem]
    usage: Usage | None
    service_tier: Literal["default"]
    background: bool
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    presence_penalty: float
    frequency_penalty: float
    prompt_cache_key: str | None
    reasoning: dict[str, Any] | None
    safety_identifier: str | None
    store: bool
    temperature: float
    text: TextSettings
    tool_choice: str | dict[str, Any]
    tools: list[ShownFunction | ShownCustomTool]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    user: NotRequired[str]
    conversation: NotRequired[InConversation]
    prompt_cache_retention: NotRequired[str]
    prompt_cache_options: NotRequired[dict[str, Any]]


class CompactionItem(TypedDict):
    """A conversation, packed; as an item of an input it stands for what is in it."""

    id: str
    type: Literal["compaction"]
    encrypted_content: str


class CompactedResponse(TypedDict):
    """A conversation in one item."""

    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[CompactionItem]
    usage: Usage


class Lifecycle(TypedDict):
    """The response has come into this state."""

    response: Response


class ItemEvent(TypedDict):
    """An item has been added, or is done."""

    output_index: int
    item: OutputItem


class Step(TypedDict):
    """A tool has come so far."""

    item_id: str
    output_index: int


class _Place(Step):
    content_index: int


class PartEvent(_Place):
    """A part has been added, or is done."""

    part: OutputText | Refusal | ReasoningText


class TextDelta(_Place):
    """More of a text."""

    delta: str
    logprobs: list[Any]


class TextDone(_Place):
    """A text, whole."""

    text: str
    logprobs: list[Any]


class PartDelta(_Place):
    """More of a refusal, or of what is thought."""

    delta: str


class RefusalDone(_Place):
    """A refusal, whole."""

    refusal: str


class ReasoningDone(_Place):
    """What was thought, whole."""

    text: str


class AnnotationAdded(_Place):
    """An annotation of a text."""

    annotation_index: int
    annotation: Annotation


class _SummaryPlace(Step):
    summary_index: int


class SummaryPartEvent(_SummaryPlace):
    """A part of a summary has been added, or is done."""

    part: SummaryText


class SummaryDelta(_SummaryPlace):
    """More of a summary."""

    delta: str


class SummaryDone(_SummaryPlace):
    """A part of a summary, whole."""

    text: str


class Piece(Step):
    """More of a call's arguments, of a tool's input, or of code."""

    delta: str


class ArgumentsDone(Step):
    """A call's arguments, whole."""

    name: str
    arguments: str


class InputDone(Step):
    """A custom tool's input, whole."""

    input: str


class CodeDone(Step):
    """Code, whole."""

    code: str


class PartialImage(Step):
    """What can be seen of a picture so far."""

    partial_image_b64: str
    partial_image_index: int


class _Command(Step):
    command_index: int


class CommandEvent(_Command):
    """A command has been added, or is done."""

    command: str


class CommandDelta(_Command):
    """More of a command."""

    delta: str


class CommandOutputDone(_Command):
    """What a command wrote."""

    output: list[CommandOutput]


EVENTS: Final[Mapping[str, type[Any]]] = {
    f"response.{name}": fields
    for name, fields in {
        "created": Lifecycle,
        "queued": Lifecycle,
        "in_progress": Lifecycle,
        "completed": Lifecycle,
        "failed": Lifecycle,
        "incomplete": Lifecycle,
        "output_item.added": ItemEvent,
        "output_item.done": ItemEvent,
        "content_part.added": PartEvent,
        "content_part.done": PartEvent,
        "output_text.delta": TextDelta,
        "output_text.done": TextDone,
        "output_text.annotation.added": AnnotationAdded,
        "refusal.delta": PartDelta,
        "refusal.done": RefusalDone,
        "reasoning_text.delta": PartDelta,
        "reasoning_text.done": ReasoningDone,
        "reasoning_summary_part.added": SummaryPartEvent,
        "reasoning_summary_part.done": SummaryPartEvent,
        "reasoning_summary_text.delta": SummaryDelta,
        "reasoning_summary_text.done": SummaryDone,
        "function_call_arguments.delta": Piece,
        "function_call_arguments.done": ArgumentsDone,
        "custom_tool_call_input.delta": Piece,
        "custom_tool_call_input.done": InputDone,
        "mcp_call_arguments.delta": Piece,
        "mcp_call_arguments.done": ArgumentsDone,
        "mcp_call.in_progress": Step,
        "mcp_call.completed": Step,
        "mcp_call.failed": Step,
        "code_interpreter_call.in_progress": Step,
        "code_interpreter_call.interpreting": Step,
        "code_interpreter_call.completed": Step,
        "code_interpreter_call_code.delta": Piece,
        "code_interpreter_call_code.done": CodeDone,
        "image_generation_call.in_progress": Step,
        "image_generation_call.generating": Step,
        "image_generation_call.partial_image": PartialImage,
        "image_generation_call.completed": Step,
        "web_search_call.in_progress": Step,
        "web_search_call.searching": Step,
        "web_search_call.completed": Step,
        "file_search_call.in_progress": Step,
        "file_search_call.searching": Step,
        "file_search_call.completed": Step,
        "shell_call_command.added": CommandEvent,
        "shell_call_command.delta": CommandDelta,
        "shell_call_command.done": CommandEvent,
        "shell_call_output_content.done": CommandOutputDone,
    }.items()
}
"""The events of a stream, by their type: what each has beside its type and its sequence number."""
