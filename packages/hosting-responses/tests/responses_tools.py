"""What providers' tools do, as contents: short builders for examples, and strategies for properties."""

from collections.abc import Callable
from typing import Any, Final

from agent_framework import Content
from hypothesis import strategies as st

Make = Callable[[], Content]
PIXEL: Final = "data:image/png;base64,iVBORw0KGgo="
CITATIONS: Final[list[dict[str, Any]]] = [
    {"type": "citation", "url": "http://a", "title": "A", "annotated_regions": [{"start_index": 0, "end_index": 1}]},
    {"type": "citation", "url": "http://b"},
    {"type": "citation", "file_id": "file_1", "url": "a.pdf", "additional_properties": {"index": 3}},
    {"type": "citation", "file_id": "file_2"},
    {"type": "citation", "file_id": "file_3", "url": "p.png", "additional_properties": {"container_id": "cntr_1"}},
]


def cited(*citations: Any, said: str = "") -> Content:
    """Return text that bears citations; those of a stream come with an empty text behind what they are about."""
    content = Content.from_text(said)
    content.annotations = list(citations)
    return content


def codes(key: str | None, code: str | None, **fields: Any) -> Content:
    inputs = None if code is None else [Content.from_text(code)]
    return Content.from_code_interpreter_tool_call(call_id=key, inputs=inputs, **fields)


def computed(key: str | None, *outputs: Content, **fields: Any) -> Content:
    return Content.from_code_interpreter_tool_result(call_id=key, outputs=outputs, **fields)


def draws(key: str | None) -> Content:
    return Content.from_image_generation_tool_call(image_id=key)


def drawn(key: str | None, outputs: Any) -> Content:
    return Content.from_image_generation_tool_result(image_id=key, outputs=outputs)


def image(uri: str = PIXEL, *, partial: int | None = None) -> Content:
    marks = None if partial is None else {"is_partial_image": True, "partial_image_index": partial}
    return Content.from_uri(uri, media_type="image/png", additional_properties=marks)


def searches(key: str, tool: str, asked: Any = None) -> Content:
    return Content.from_search_tool_call(key, tool_name=tool, arguments=asked)


def found(key: str, tool: str, result: Any = None, **fields: Any) -> Content:
    return Content.from_search_tool_result(key, tool_name=tool, result=result, **fields)


def serves(key: str, name: str = "read", server: str | None = "docs", arguments: Any = None) -> Content:
    return Content.from_mcp_server_tool_call(key, name, server_name=server, arguments=arguments)


def served(key: str, output: Any = "page") -> Content:
    return Content.from_mcp_server_tool_result(key, output=output)


def runs(key: str | None, *commands: str) -> Content:
    return Content.from_shell_tool_call(call_id=key, commands=[*commands])


def ran(key: str | None, *outputs: Content) -> Content:
    return Content.from_shell_tool_result(call_id=key, outputs=outputs)


def acts(key: str, *actions: Any, checks: Any = None) -> Content:
    made = Content("computer_tool_call", id=key, call_id=key, actions=[*actions], pending_safety_checks=checks)
    made.user_input_request = True
    return made


def acted(key: str, screenshot: Content | None) -> Content:
    return Content("computer_tool_result", call_id=key, screenshot=screenshot)


def asks(request: str, call: Content) -> Content:
    """Return a request for approval, made without core's checks, as an agent might."""
    return Content("function_approval_request", id=request, function_call=call, user_input_request=True)


# ------------------------------------------------------------------------------------------------- anything at all
KEYS: Final = st.sampled_from(["", "k1", "k2"])
ODD: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [None, 5, "x", "\ud83d", [], {}, {"query": "q"}, {"queries": ["a", 5]}, '{"query": "q"}', "{", object()]
)
WRITTEN: Final = st.sampled_from(
    [
        Content.from_shell_command_output(stdout="out", stderr="\ud83d", exit_code=0),
        Content.from_shell_command_output(timed_out=True),
        Content.from_text("text"),
    ]
)
OUTPUTS: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [None, 5, [], Content.from_text("log"), [image(), image("http://host/x.png")], image(partial=0), [image(partial=1)]]
)
ACTIONS: Final = st.sampled_from(
    [{"type": "click", "button": "left", "x": 1, "y": 2}, {"type": "wait"}, {"type": "dance"}, {"type": "type"}, 5]
)


def _odd_annotations(said: str, annotations: Any) -> Content:
    content = Content.from_text(said)
    content.annotations = annotations
    return content


def _odd_result(key: str, outputs: Any, status: Any, mode: Any) -> Content:
    return Content("code_interpreter_tool_result", call_id=key, outputs=outputs, status=status, merge_mode=mode)


def _commands(key: str, commands: list[str]) -> Content:
    return runs(key, *commands)


def _outputs(key: str, outputs: list[Content]) -> Content:
    return ran(key, *outputs)


def _actions(key: str, actions: list[Any]) -> Content:
    return acts(key, *actions)


def _request(request: str, name: str, key: str) -> Content:
    return asks(request, Content.from_function_call(key, name, arguments="{}", id="o1"))


SEARCHES: Final = st.sampled_from(["web_search", "file_search", "memory", ""])
FOUND: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [{"action": {"type": "open_page"}}, {"results": [5, {"score": 1, "text": "t"}]}]
)
ANY_TOOL: Final[st.SearchStrategy[Any]] = st.one_of(
    st.builds(
        _odd_annotations,
        st.sampled_from(["", "cited"]),
        st.lists(st.sampled_from([*CITATIONS, 5, {}, {"url": 5}]), max_size=2) | st.just(5),
    ),
    st.builds(codes, KEYS, st.sampled_from([None, "", "1", "12"]), merge_mode=st.sampled_from([None, "replace"])),
    st.builds(
        _odd_result,
        KEYS,
        OUTPUTS,
        st.sampled_from([None, "completed", "failed", "odd"]),
        st.sampled_from([None, "replace"]),
    ),
    st.builds(draws, KEYS),
    st.builds(drawn, KEYS, OUTPUTS),
    st.builds(searches, KEYS, SEARCHES, ODD),
    st.builds(found, KEYS, SEARCHES, ODD | FOUND, status=st.sampled_from([None, "failed"])),
    st.builds(serves, KEYS, st.sampled_from(["", "read"]), st.sampled_from([None, "docs"]), ODD),
    st.builds(served, KEYS, ODD | OUTPUTS),
    st.builds(_commands, KEYS, st.lists(st.sampled_from(["", "ls", "\ud83d"]))),
    st.builds(_outputs, KEYS, st.lists(WRITTEN, max_size=2)),
    st.builds(_actions, KEYS, st.lists(ACTIONS, max_size=2)),
    st.builds(acted, KEYS, st.sampled_from([None, image(), image("http://host/x.png")])),
    st.sampled_from([image(), image("http://host/x.png"), Content("data", uri="data:text/plain;base64,eA==")]),
    st.sampled_from([Content.from_oauth_consent_request("http://host/consent"), Content("oauth_consent_request")]),
    st.builds(_request, st.sampled_from(["q1", "q2"]), st.sampled_from(["pay", "look"]), st.sampled_from(["c1", "c2"])),
)


# ------------------------------------------------------------------------- agents that do not contradict themselves
@st.composite
def code_runs(draw: st.DrawFn, number: int) -> list[Make]:
    """Return code that is run: told of at its beginning or at its end, in chunks, with or without what came of it."""
    key = f"ci_{number}"
    made: list[Make] = []
    if draw(st.booleans()):
        made.append(lambda: computed(key))
    chunks = draw(st.lists(st.sampled_from(["", "a", "é\n"]), min_size=1, max_size=3))
    made += [lambda chunk=chunk: codes(key, chunk) for chunk in chunks]
    if draw(st.booleans()):
        made.append(lambda: codes(key, "".join(chunks), merge_mode="replace"))
    outputs = draw(st.sampled_from([(), ("log",), ("a", "b")]))
    status = draw(st.sampled_from([None, "completed", "failed"]))
    made.append(lambda: computed(key, *map(Content.from_text, outputs), status=status))
    return made


@st.composite
def images(draw: st.DrawFn, number: int) -> list[Make]:
    """Return an image that is made, or one that is there."""
    key = draw(st.sampled_from([f"ig_{number}", None]))
    uri = draw(st.sampled_from([PIXEL, "http://host/x.png"]))
    if draw(st.booleans()):
        return [lambda: image(uri)]
    made: list[Make] = [lambda: draws(key)]
    for partial in range(draw(st.integers(0, 2))):
        made += [lambda partial=partial: drawn(key, image(partial=partial))]
    return [*made, lambda: drawn(key, image(uri))] if draw(st.booleans()) else made


def tool_uses(number: int) -> st.SearchStrategy[list[Make]]:
    """Return what a provider's tool does, from its call to its end."""
    key = f"k{number}"
    return st.one_of(
        code_runs(number),
        images(number),
        st.sampled_from(
            [
                [lambda: searches(key, "web_search", {"query": "q"}), lambda: found(key, "web_search")],
                [lambda: searches(key, "file_search", {"queries": ["q"]})],
                [lambda: searches(key, "memory", {"a": 1}), lambda: found(key, "memory", {"b": 2})],
                [lambda: serves(key, arguments='{"a":1}'), lambda: served(key, [Content.from_text("x")])],
                [lambda: serves(key)],
                [lambda: runs(key, "ls", ""), lambda: ran(key, Content.from_shell_command_output(stdout="x"))],
                [lambda: acts(key, {"type": "screenshot"}), lambda: acted(key, image())],
                [lambda: Content.from_oauth_consent_request("http://host/consent")],
                [lambda: Content.from_uri("http://host/a.pdf", media_type="application/pdf")],
            ]
        ),
    )
