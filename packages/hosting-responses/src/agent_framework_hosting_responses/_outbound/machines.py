"""Commands of a shell and actions at a computer: `shell_call`, `computer_call`, and their outputs.

Rules of this file:
1. Each comes as a whole, and is an item of its own; a call and its output share a `call_id`, and within a response no
   other call has it: where a model uses the id of a shell's call again, the later one gets another. A call is answered
   once, and by its own kind; an output whose call is not there answers one of an earlier turn.
2. A computer's actions are carried out by the client, which answers with a screenshot: they are shown whatever else is
   hidden, if they are of a kind that the protocol knows, and once for as long as they are not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_framework_hosting.ids import mint
from agent_framework_hosting.rendering.reading import items_of, mapping_of, text_of
from agent_framework_hosting.rendering.text import clean, clean_json

from .items import Items
from .tool_items import ToolItems

if TYPE_CHECKING:
    from .events import Listener

_ACTIONS: Final[Mapping[str, Mapping[str, type]]] = {
    "click": {"button": str, "x": int, "y": int},
    "double_click": {"x": int, "y": int},
    "drag": {"path": list},
    "keypress": {"keys": list},
    "move": {"x": int, "y": int},
    "screenshot": {},
    "scroll": {"scroll_x": int, "scroll_y": int, "x": int, "y": int},
    "type": {"text": str},
    "wait": {},
}
_BUTTONS: Final = frozenset({"left", "right", "wheel", "back", "forward"})


class Machines:
    """Puts what shells and computers do into items."""

    def __init__(self, items: Items, listener: Listener, *, before_opening: Callable[[], None]) -> None:
        def made(kind: str, prefix: str) -> ToolItems:
            return ToolItems(items, listener, kind=kind, prefix=prefix, before_opening=before_opening)

        self._shell_calls, self._shell_outputs = made("shell_call", "sh_"), made("shell_call_output", "sho_")
        self._computer_calls = made("computer_call", "cu_")
        self._computer_outputs = made("computer_call_output", "cuo_")
        # For the shell: ids of the calls of this response, and by the provider's, of those without an output yet.
        self._called: set[str] = set()
        self._running: dict[str, list[str]] = {}
        # For the computer: ids of the calls that wait for their screenshot, and of those that were answered.
        self._acting: set[str] = set()
        self._answered: set[str] = set()

    def run(self, content: Any, *, message: int) -> None:
        """Add commands of a shell."""
        key = text_of(content, "call_id")
        if self._shell_calls.is_over(key, message):
            return
        commands = [clean(text) for text in items_of(getattr(content, "commands", None)) if isinstance(text, str)]
        action = {
            "commands": commands,
            "max_output_length": _count(content, "max_output_length"),
            "timeout_ms": _count(content, "timeout_ms"),
        }
        call_id = key if key and key not in self._called else mint("call_")
        self._called.add(call_id)
        self._running.setdefault(key, []).append(call_id)
        tool = self._shell_calls.open(key, message, call_id=call_id, action=action, environment=None)
        for index, command in enumerate(commands):
            self._shell_calls.tell(tool, "shell_call_command.added", command_index=index, command="")
            if command:
                self._shell_calls.tell(tool, "shell_call_command.delta", command_index=index, delta=command)
            self._shell_calls.tell(tool, "shell_call_command.done", command_index=index, command=command)
        self._shell_calls.close(tool, "completed")

    def ran(self, content: Any, *, message: int) -> None:
        """Add what commands of a shell wrote."""
        key = text_of(content, "call_id")
        if running := self._running.get(key):
            call_id = running.pop(0)
        elif key in self._called or key in self._acting or key in self._answered:
            return
        else:
            call_id = key or mint("call_")
            self._called.add(call_id)
        length = _count(content, "max_output_length")
        tool = self._shell_outputs.open(key, message, call_id=call_id, max_output_length=length, output=[])
        output = [_written(item) for item in items_of(getattr(content, "outputs", None))]
        for index, shown in enumerate(output):
            step = "shell_call_output_content.done"
            self._shell_outputs.tell(tool, step, command_index=index, output=[shown])
        self._shell_outputs.close(tool, "completed", output=output)

    def act(self, content: Any, *, message: int) -> bool:
        """Add actions for the client to carry out; say whether all of them can be told to it."""
        key = text_of(content, "call_id")
        actions = clean_json(items_of(getattr(content, "actions", None)))
        if not key or not actions or not all(map(_is_action, actions)):
            return False
        # The client answers an id: one that it has yet to answer is the same call, told again.
        if key not in self._acting and not self._computer_calls.is_over(key, message):
            checks = _checks(getattr(content, "pending_safety_checks", None))
            tool = self._computer_calls.open(key, message, call_id=key, actions=actions, pending_safety_checks=checks)
            self._computer_calls.close(tool, "completed")
            self._acting.add(key)
            self._answered.discard(key)
        return True

    def acted(self, content: Any, *, message: int) -> bool:
        """Add the screenshot that answered actions; say whether it can be told: not without one, nor for no call."""
        key, screenshot = text_of(content, "call_id"), _screenshot(getattr(content, "screenshot", None))
        if not key or screenshot is None or (key in self._called and key not in self._acting):
            return False
        if key not in self._answered:
            self._acting.discard(key)
            self._answered.add(key)
            checks = _checks(getattr(content, "acknowledged_safety_checks", None))
            tool = self._computer_outputs.open(
                key, message, call_id=key, output=screenshot, acknowledged_safety_checks=checks
            )
            self._computer_outputs.close(tool, "completed")
        return True


def _screenshot(seen: Any) -> dict[str, Any] | None:
    if file_id := text_of(seen, "file_id"):
        return {"type": "computer_screenshot", "file_id": file_id}
    uri = text_of(seen, "uri")
    is_passable = uri.startswith(("http://", "https://", "data:image/"))
    return {"type": "computer_screenshot", "image_url": uri} if is_passable else None


def _written(output: Any) -> dict[str, Any]:
    if getattr(output, "timed_out", None) is True:
        outcome: dict[str, Any] = {"type": "timeout"}
    else:
        code = getattr(output, "exit_code", None)
        outcome = {"type": "exit", "exit_code": code if isinstance(code, int) else 0}
    text = text_of(output, "text") if text_of(output, "type") == "text" else text_of(output, "stdout")
    return {"stdout": text, "stderr": text_of(output, "stderr"), "outcome": outcome}


def _checks(value: Any) -> list[dict[str, Any]]:
    checks = [mapping_of(item) for item in items_of(value)]
    return [
        clean_json({name: check.get(name) for name in ("id", "code", "message") if isinstance(check.get(name), str)})
        for check in checks
        if isinstance(check.get("id"), str)
    ]


def _is_action(action: Any) -> bool:
    known = mapping_of(action)
    wanted = _ACTIONS.get(str(known.get("type")))
    if wanted is None or not all(type(known.get(name)) is kind for name, kind in wanted.items()):
        return False
    return (
        (known["type"] != "click" or known["button"] in _BUTTONS)
        and all(isinstance(key, str) for key in items_of(known.get("keys")))
        and all(_is_point(point) for point in items_of(known.get("path")))
    )


def _is_point(point: Any) -> bool:
    return all(type(mapping_of(point).get(name)) is int for name in ("x", "y"))


def _count(holder: Any, name: str) -> int | None:
    value = getattr(holder, name, None)
    return value if type(value) is int else None
