"""The rules of the items that are neither text nor calls with arguments: their events and what they end as."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

IN_ORDER: Final = {
    "code_interpreter_call": r"in_progress (code\.delta )*code\.done (interpreting )?(completed )?",
    "image_generation_call": r"in_progress generating (partial_image )*(completed )?",
    "web_search_call": r"in_progress searching (completed )?",
    "file_search_call": r"in_progress searching (completed )?",
    "shell_call": r"(command\.added (command\.delta )?command\.done )*",
    "shell_call_output": r"(output_content\.done )*",
    "computer_call": "",
    "computer_call_output": "",
    "mcp_approval_request": "",
}
"""The steps that an item of each type goes through between `added` and `done`."""

PREFIXES: Final = {
    "code_interpreter_call": "ci_",
    "image_generation_call": "ig_",
    "web_search_call": "ws_",
    "file_search_call": "fs_",
    "shell_call": "sh_",
    "shell_call_output": "sho_",
    "computer_call": "cu_",
    "computer_call_output": "cuo_",
    "mcp_approval_request": "mcpr_",
}
STATUSES: Final[Mapping[str, set[str | None]]] = {
    "code_interpreter_call": {"completed", "failed", "incomplete"},
    "image_generation_call": {"completed", "failed"},
    "web_search_call": {"completed", "failed", "incomplete"},
    "file_search_call": {"completed", "failed", "incomplete"},
    "shell_call": {"completed"},
    "shell_call_output": {"completed"},
    "computer_call": {"completed"},
    "computer_call_output": {"completed"},
    "mcp_approval_request": {None},
}
EMPTY: Final[dict[str, dict[str, Any]]] = {
    "code_interpreter_call": {"code": "", "outputs": None},
    "image_generation_call": {"result": None},
    "file_search_call": {"results": None},
    "shell_call_output": {"output": []},
}
AT_ONCE: Final = {"shell_call", "shell_call_output", "computer_call", "computer_call_output", "mcp_approval_request"}
"""Items that nothing comes between."""


def step(name: str) -> tuple[str, str]:
    """Return the type of item that an event is about, and the step."""
    _, kind, verb = name.split(".", 2)
    for special, (owner, prefix) in {
        "code_interpreter_call_code": ("code_interpreter_call", "code."),
        "shell_call_command": ("shell_call", "command."),
        "shell_call_output_content": ("shell_call_output", "output_content."),
    }.items():
        if kind == special:
            return owner, prefix + verb
    assert kind in IN_ORDER, f"an unexpected event: {name}"
    return kind, verb


def check_steps(events: list[dict[str, Any]], done: Mapping[str, Any]) -> None:
    """Check the steps of an item that is done."""
    kind, status = done["type"], done.get("status")
    steps = [step(event["type"])[1] for event in events]
    assert re.fullmatch(IN_ORDER[kind], "".join(f"{name} " for name in steps)), f"{kind}: {steps}"
    assert ("completed" in steps) == (status == "completed" and "completed" in IN_ORDER[kind])
    said = dict(zip(map(id, events), steps, strict=True))

    def told(wanted: str, name: str) -> list[Any]:
        return [event[name] for event in events if said[id(event)] == wanted]

    if kind == "code_interpreter_call":
        assert done["code"] == "".join(told("code.delta", "delta")) == told("code.done", "code")[0]
        assert all(told("code.delta", "delta")), "an empty delta"
        assert ("interpreting" in steps) == (status != "incomplete")
    elif kind == "image_generation_call":
        assert status == "completed" or done["result"] is None
        assert done["result"] != ""
    elif kind == "shell_call":
        commands = done["action"]["commands"]
        assert told("command.done", "command") == commands
        assert told("command.delta", "delta") == [command for command in commands if command]
    elif kind == "shell_call_output":
        assert [shown for output in told("output_content.done", "output") for shown in output] == done["output"]


def names_two_calls(output: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an id is that of a call of an earlier turn, which a machine answered here, and of another call here.

    No model's provider gives an id twice, and no reader could tell the two calls apart.
    """
    seen: set[str] = set()
    earlier: set[str] = set()
    for item in output:
        call_id = item.get("call_id")
        if call_id in earlier:
            return True
        if item["type"] in ("shell_call_output", "computer_call_output") and call_id not in seen:
            earlier.add(item["call_id"])
        elif call_id is not None:
            seen.add(call_id)
    return False
