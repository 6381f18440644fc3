"""What agents may say, as updates: short builders for examples, and strategies for properties."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate, Content
from hypothesis import strategies as st
from responses_tools import ANY_TOOL, CITATIONS, Make, asks, cited, tool_uses

from agent_framework_hosting_responses._outbound.envelope import Body
from agent_framework_hosting_responses._outbound.machine import Rendered, ResponseMachine, render
from agent_framework_hosting_responses._outbound.showing import ResponseFields

MINTED: Final = re.compile("call_[0-9a-f]{32}")
RESPONSE: Final[dict[str, Any]] = {
    "response_id": "resp_1",
    "created_at": 1_700_000_000,
    "model": "agent",
    "client_tools": frozenset({"ask", "pick", "sketch"}),
    "custom_tools": frozenset({"sketch"}),
    "approval_tools": frozenset({"pay"}),
}
REFUSAL: Final = {"core": {"model_output_kind": "refusal"}}
FULL_REASONING: Final = {"openai": {"reasoning_text": True}}


def says(*contents: Any, role: str | None = "assistant", **fields: Any) -> AgentResponseUpdate:
    """Return an update; a plain string is a chunk of text."""
    parts = [Content.from_text(content) if isinstance(content, str) else content for content in contents]
    update = AgentResponseUpdate(role=role, **fields)
    update.contents = parts
    return update


def text(said: str, **fields: Any) -> Content:
    return Content.from_text(said, **fields)


def refusal(said: str, **fields: Any) -> Content:
    return Content.from_text(said, additional_properties=REFUSAL, **fields)


def thinks(said: str | None = None, **fields: Any) -> Content:
    return Content.from_text_reasoning(text=said, **fields)


def calls(call_id: Any, name: Any, arguments: Any = None, **fields: Any) -> Content:
    return Content.from_function_call(call_id=call_id, name=name, arguments=arguments, **fields)


def returns(call_id: Any, result: Any = "done", **fields: Any) -> AgentResponseUpdate:
    return says(Content.from_function_result(call_id=call_id, result=result, **fields), role="tool")


def uses(read: int, written: int, **fields: Any) -> Content:
    counts: Any = {"input_token_count": read, "output_token_count": written, "total_token_count": read + written}
    return Content.from_usage(counts, **fields)


def machine(**fields: Any) -> ResponseMachine:
    return ResponseMachine(ResponseFields(**{**RESPONSE, **fields}))


def stream(*updates: AgentResponseUpdate, **fields: Any) -> bytes:
    """Return the whole stream of an agent that says this and ends."""
    responder = machine(**fields)
    sent = [responder.start(), *(responder.feed(update) for update in updates)]
    responder.complete(completed_at=1_700_000_009)
    return b"".join([*sent, responder.closing()])


def shown(body: Body | None) -> dict[str, Any]:
    """Return a response object as a client reads it."""
    assert body is not None
    return msgspec.json.decode(body.json)


def rendered(result: AgentResponse[Any], **fields: Any) -> dict[str, Any]:
    return shown(rendered_whole(result, **fields).body)


def rendered_whole(result: AgentResponse[Any], **fields: Any) -> Rendered:
    return render(result, ResponseFields(**{**RESPONSE, **fields}), completed_at=1_700_000_009)


def without_ids(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items without what is random in them."""
    shown = [{key: value for key, value in item.items() if key != "id"} for item in output]
    for item in shown:
        if MINTED.fullmatch(item.get("call_id", "")):
            item["call_id"] = "minted"
    return shown


# ------------------------------------------------------------------------------------------------- anything at all
WORDS: Final = st.sampled_from(
    [
        "",
        "a",
        "b",
        "ab",
        "abc",
        "Hello ",
        "100%d %b",
        'q"\\',
        "é",
        "\u2028",
        "\x85\u2029",
        "line\r\nline",
        "😀",
        "\ud83d",
        "\x00",
    ]
)
MERGE: Final = st.sampled_from([None, None, None, "append", "replace"])
OCCURRENCES: Final = st.sampled_from([None, None, "o1", "o2"])
CALL_IDS: Final = st.sampled_from(["", None, "c1", "c2", "c3"])
NAMES: Final = st.sampled_from(["", None, "ask", "pick", "sketch", "look", "count", "pay"])
ARGUMENTS: Final = st.sampled_from(
    [None, "", '{"a":', "1}", '{"a":1}', '{ "a": 1 }', "{}", {"a": 1}, {"b": object()}, [1], 5]
)
MARKS: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [None, REFUSAL, {"model_output_kind": "refusal"}, {"core": 5}, {"openai": {"logprobs": []}}]
)
COUNTS: Final = st.sampled_from([None, True, -1, "7", 0, 3, 10**30])


def _usage(read: Any, written: Any, total: Any, merge_mode: Any) -> Content:
    counts: Any = {"input_token_count": read, "output_token_count": written, "total_token_count": total}
    return Content.from_usage(counts, merge_mode=merge_mode)


def _asks_client(content: Content) -> Content:
    content.user_input_request = True
    return content


ANY_CALL: Final = st.builds(calls, CALL_IDS, NAMES, ARGUMENTS, id=OCCURRENCES, merge_mode=MERGE)
ANY_CONTENT: Final[st.SearchStrategy[Any]] = st.one_of(
    st.builds(text, WORDS, merge_mode=MERGE, additional_properties=MARKS),
    st.builds(text, WORDS, merge_mode=MERGE),
    st.builds(
        thinks,
        st.none() | WORDS,
        id=st.sampled_from([None, "r1", "r2"]),
        protected_data=st.sampled_from([None, None, "secret"]),
        merge_mode=MERGE,
        additional_properties=st.sampled_from([None, FULL_REASONING, {"reasoning_text": True}]),
    ),
    ANY_CALL,
    ANY_CALL,
    st.builds(_asks_client, ANY_CALL),
    st.builds(
        Content.from_function_result,
        call_id=CALL_IDS,
        id=OCCURRENCES,
        result=st.sampled_from([None, "", "done", {"a": 1}, 5, [Content.from_text("x")], "\ud83d"]),
        exception=st.sampled_from([None, "internal"]),
    ),
    st.builds(_usage, COUNTS, COUNTS, COUNTS, st.sampled_from([None, "replace"])),
    st.builds(Content.from_hosted_file, file_id=st.just("f")),
    ANY_TOOL,
    ANY_TOOL,
    ANY_TOOL,
    st.sampled_from(
        [None, 5, {"type": "text", "text": "x"}, object(), Content("error", message="no"), Content("usage")]
    ),
)


@st.composite
def any_update(draw: st.DrawFn) -> AgentResponseUpdate:
    """Return any update that an agent might make, odd ones included."""
    update = says(
        *draw(st.lists(ANY_CONTENT, max_size=3)),
        role=draw(st.sampled_from(["assistant", "assistant", "assistant", None, "tool", "user"])),
        message_id=draw(st.sampled_from([None, None, None, "m1", "m2"])),
        author_name=draw(st.sampled_from([None, None, None, "ann", "bob"])),
        merge_mode=draw(st.sampled_from([None, None, None, None, "replace"])),
        finish_reason=draw(st.sampled_from([None, None, None, "stop", "length", "content_filter", "tool_calls"])),
    )
    if draw(st.integers(0, 30)) == 0:
        odd: Any = draw(st.sampled_from([None, (), "text", 5]))
        update.contents = odd
    return update


# ------------------------------------------------------------------------- agents that do not contradict themselves
@st.composite
def _stretch(draw: st.DrawFn, make: Callable[..., Content]) -> list[Make]:
    """Return a run of text in chunks, among them replacements that confirm it or go on."""
    said = ""
    made: list[Make] = []
    chunks = st.lists(WORDS.filter(lambda word: word != "\ud83d"), max_size=3)
    # Core lets an empty chunk decide about the kind of the chunks after it, so the first one says something.
    for chunk in [draw(st.sampled_from(["a", "é", "Hello "])), *draw(chunks)]:
        replaces = said != "" and draw(st.booleans())
        said += chunk
        made.append(_later(make, said if replaces else chunk, merge_mode="replace" if replaces else None))
    return made


def _later(make: Callable[..., Content], *args: Any, **fields: Any) -> Make:
    return lambda: make(*args, **fields)


@st.composite
def _reasoning(draw: st.DrawFn, source: str) -> list[Make]:
    name = draw(st.sampled_from([None, source]))
    marks = draw(st.sampled_from([None, FULL_REASONING]))

    def make(said: str | None, **fields: Any) -> Content:
        return thinks(said, id=name, additional_properties=marks, **fields)

    made = draw(_stretch(make))
    return [*made, _later(make, None, protected_data="sealed")] if draw(st.booleans()) else made


@st.composite
def _call_group(draw: st.DrawFn, numbers: Iterator[int], *, with_occurrence: bool) -> tuple[list[Make], list[str]]:
    """Return parallel calls whose chunks may interleave, and the ids of those that the agent runs."""
    chunked: list[list[Make]] = []
    run: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        number = next(numbers)
        name = draw(st.sampled_from(["ask", "sketch", "look", "count"]))
        if name not in ("ask", "sketch"):
            run.append(f"call_{number}")
        chunked.append(draw(_one_call(f"call_{number}", name, f"af-{number}" if with_occurrence else None)))
    woven = [chunk for chunks in chunked for chunk in chunks[:1]]
    rests = [chunks[1:] for chunks in chunked]
    while any(rests):
        woven.append(draw(st.sampled_from([rest for rest in rests if rest])).pop(0))
    return woven, run


@st.composite
def _one_call(draw: st.DrawFn, call_id: str, name: str, occurrence: str | None) -> list[Make]:
    if draw(st.booleans()):
        whole: Any = draw(st.sampled_from([None, "", "{}", {"n": 1, "é": "\u2028"}]))
        return [_later(calls, call_id, name, whole, id=occurrence)]
    pieces = draw(st.lists(st.sampled_from(['{"n":', "1", ',"m":"', "é", '"}', ""]), min_size=1, max_size=4))
    made = [_later(calls, call_id, name, pieces[0], id=occurrence)]
    made += [_later(calls, call_id, draw(st.sampled_from(["", name])), piece, id=occurrence) for piece in pieces[1:]]
    said = "".join(pieces)
    if said and draw(st.booleans()):
        made.append(_later(calls, call_id, name, said, id=occurrence, merge_mode="replace"))
    return made


@st.composite
def coherent_updates(draw: st.DrawFn) -> Callable[[], list[AgentResponseUpdate]]:
    """Return an agent that never takes back what it said; each call lets it say the same again, in new objects."""
    numbers = iter(range(1000))
    with_occurrence = draw(st.booleans())
    named = draw(st.booleans())
    last = ""
    made: list[Callable[[], AgentResponseUpdate]] = []
    for turn in range(draw(st.integers(1, 3))):
        speaker = {"message_id": f"m{turn}" if named else None, "author_name": draw(st.sampled_from([None, "ann"]))}
        contents: list[Make] = []
        run: list[str] = []
        last = "" if named else last
        for _ in range(draw(st.integers(0, 4))):
            # Two stretches of one kind in a row are one to core, and a replacement in the second is about both.
            stretches = [kind for kind in ("text", "refusal", "reasoning") if kind != last]
            kind = draw(st.sampled_from([*stretches, "calls", "usage", "file", "tool", "approval"]))
            last = last if kind == "usage" else kind
            if kind == "calls":
                group, ids = draw(_call_group(numbers, with_occurrence=with_occurrence))
                contents += group
                run += ids
            elif kind == "tool":
                contents += draw(tool_uses(next(numbers)))
            elif kind == "approval":
                number = next(numbers)
                contents += draw(_approval(f"call_{number}", f"af-{number}" if with_occurrence else None))
            else:
                contents += draw(_plain(kind, f"r{next(numbers)}"))
        made += _updates(draw, contents, speaker)
        made += [_result(draw, call_id, named=named) for call_id in draw(st.permutations(run)) if draw(st.booleans())]
    end = draw(st.sampled_from([None, "stop", "length", "content_filter"]))
    made.append(lambda: says(finish_reason=end, role=None))
    return lambda: [make() for make in made]


@st.composite
def _approval(draw: st.DrawFn, call_id: str, occurrence: str | None) -> list[Make]:
    """Return a call that is not made before somebody has approved it."""
    chunks = draw(_one_call(call_id, draw(st.sampled_from(["pay", "look"])), occurrence))
    name, arguments = draw(st.sampled_from(["pay", "look"])), draw(st.sampled_from(['{"n":1}', ""]))
    return [*chunks, lambda: asks(occurrence or call_id, calls(call_id, name, arguments, id=occurrence))]


@st.composite
def _cited(draw: st.DrawFn) -> list[Make]:
    """Return text with citations, which come with the text, or behind it."""
    made = draw(_stretch(text))
    citation = draw(st.sampled_from(CITATIONS))
    behind = _later(cited, citation)
    return [*made, behind, *draw(st.sampled_from([[], [behind]]))]


def _report(count: int, merge_mode: str | None) -> list[Make]:
    return [_later(uses, count, 2 * count, merge_mode=merge_mode)]


def _plain(kind: str, source: str) -> st.SearchStrategy[list[Make]]:
    plain: Mapping[str, st.SearchStrategy[list[Make]]] = {
        "text": _stretch(text) | _cited(),
        "refusal": _stretch(refusal),
        "reasoning": _reasoning(source),
        "usage": st.builds(_report, st.integers(0, 9), MERGE),
        "file": st.just([_later(Content.from_hosted_file, "file")]),
    }
    return plain[kind]


def _updates(
    draw: st.DrawFn, contents: list[Make], speaker: Mapping[str, Any]
) -> list[Callable[[], AgentResponseUpdate]]:
    made: list[Callable[[], AgentResponseUpdate]] = []
    rest = contents
    while rest:
        size = draw(st.sampled_from([1, 1, 2, 3]))
        made.append(_saying(rest[:size], speaker))
        rest = rest[size:]
    return made


def _saying(contents: list[Make], speaker: Mapping[str, Any]) -> Callable[[], AgentResponseUpdate]:
    return lambda: says(*(make() for make in contents), **speaker)


def _result(draw: st.DrawFn, call_id: str, *, named: bool) -> Callable[[], AgentResponseUpdate]:
    result = draw(st.sampled_from(["", "done", {"a": 1}]))
    problem = draw(st.sampled_from([None, None, "internal"]))
    message_id = f"tool-{call_id}" if named else None

    def make() -> AgentResponseUpdate:
        update = returns(call_id, result, exception=problem)
        update.message_id = message_id
        return update

    return make
