"""The events of a stream as types, as they are sent; see `vocabulary`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypedDict

from .item_words import Annotation, CommandOutput, OutputItem, OutputText, ReasoningText, Refusal, SummaryText
from .vocabulary import Response


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
