"""Values that the offline model makes up to fit a JSON schema: arguments, and structured answers."""

from __future__ import annotations

import json
from datetime import date
from time import process_time
from typing import Any, Literal

from agent_framework import Content, Message
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agent_framework_hosting_responses._demo._conversation import read
from agent_framework_hosting_responses._demo._example import example_arguments, example_object
from agent_framework_hosting_responses._demo._rules import decide
from agent_framework_hosting_responses._demo._turn import CallTools, Say, Tool, Turn

TOOLS = [Tool("calculate"), Tool("count_words")]


class Person(BaseModel):
    name: str = Field(max_length=3)
    age: int = Field(ge=18)
    born: date
    children: list[Person]
    partner: Person | None


class Family(BaseModel):
    names: list[str] = Field(min_length=1)
    parent: Person = Field(description="Somebody.")
    share: float = Field(gt=0, lt=1)
    pair: tuple[str, int]
    kind: Literal["large", "small"]


def test_required_arguments_are_made_up_from_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": ["integer", "null"]},
            "unit": {"enum": ["celsius", "kelvin"]},
            "kind": {"const": "forecast"},
            "exact": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "list": {"type": "array"},
            "place": {"type": "object", "properties": {"zip": {"type": "number"}}, "required": ["zip", "unknown"]},
            "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "nothing": {"type": "null"},
            "optional": {"type": "string"},
        },
        "required": ["city", "days", "unit", "kind", "exact", "tags", "list", "place", "either", "nothing"],
    }
    assert example_arguments(schema, text="Paris for 3 days") == {
        "city": "Paris for 3 days",
        "days": 3,
        "unit": "celsius",
        "kind": "forecast",
        "exact": True,
        "tags": ["Paris for 3 days"],
        "list": [],
        "place": {"zip": 3},
        "either": "Paris for 3 days",
        "nothing": None,
    }


KEYWORDS = [
    *("type", "properties", "required", "enum", "const", "anyOf", "oneOf", "allOf", "default", "a", "$ref", "items"),
    *("prefixItems", "minItems", "maxItems", "minimum", "exclusiveMaximum", "minLength", "maxLength", "format"),
]
WORDS = ["string", "object", "a", "array", "number", "integer", "#/properties/a"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYWORDS),
            inner,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS), JSON_VALUES), st.text())
@example({"anyOf": [{"$ref": []}]}, "")
def test_any_schema_gives_an_object(schema: dict[str, object], text: str) -> None:
    assert isinstance(json.loads(json.dumps(example_arguments(schema, text=text))), dict)


def shaped(text: str, schema: dict[str, object]) -> Any:
    reply = decide(Turn(read([Message("user", [text])]), tools=TOOLS, schema=schema))
    assert isinstance(reply, Say), reply
    return json.loads(reply.text)


ANSWER: dict[str, object] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "number": {"type": "number"}},
    "required": ["answer", "number"],
}


def test_a_schema_is_filled_with_what_would_have_been_said() -> None:
    assert shaped("count to 3", ANSWER) == {"answer": "1 2 3", "number": 3}
    assert shaped("Call me Ishmael.", ANSWER)["answer"].startswith("Nice to meet you, Ishmael.")


def test_without_anything_to_say_a_schema_is_filled_with_the_users_words() -> None:
    assert shaped("Ada is 36.5 years old", ANSWER) == {"answer": "Ada is 36.5 years old", "number": 36.5}


def test_an_object_said_to_order_is_said_as_ordered() -> None:
    assert shaped('say {"a": 1}', ANSWER) == {"a": 1}
    assert shaped("say [1]", ANSWER) == {"answer": "[1]", "number": 1}


def test_a_schema_is_filled_after_the_tools_have_answered() -> None:
    turn = Turn(read([Message("user", ["What is 6 * 7?"])]), tools=TOOLS, schema=ANSWER)
    assert isinstance(decide(turn), CallTools)
    messages = [
        Message("user", ["What is 6 * 7?"]),
        Message("assistant", [Content.from_function_call("c1", "calculate", arguments="{}")]),
        Message("tool", [Content.from_function_result("c1", result="6 * 7 = 42")]),
    ]
    reply = decide(Turn(read(messages), tools=TOOLS, schema=ANSWER))
    assert isinstance(reply, Say)
    assert json.loads(reply.text) == {"answer": "calculate answered: 6 * 7 = 42", "number": 42}


def test_a_refusal_has_the_wanted_form_too() -> None:
    assert "There is no tool launch" in shaped("call launch {}", ANSWER)["answer"]


def test_models_with_parts_choices_bounds_and_loops_can_read_what_was_made_up() -> None:
    value = example_object(Family.model_json_schema(), text="Ada and 3 others")
    family = Family.model_validate(value)
    assert family.names == ["Ada and 3 others"]
    assert (family.parent.name, family.parent.age) == ("Ada", 18)
    assert family.parent.children == []
    assert family.parent.partner is None
    assert (family.share, family.pair) == (0.5, ("Ada and 3 others", 3))


def test_a_schema_that_branches_without_end_gets_an_end() -> None:
    branch = {"$ref": "#/$defs/node"}
    names = [f"n{index}" for index in range(9)]
    node = {"type": "object", "properties": dict.fromkeys(names, branch), "required": names}
    started = process_time()
    assert len(json.dumps(example_object({"$ref": "#/$defs/node", "$defs": {"node": node}}, text="x"))) < 20_000
    assert example_object({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, text="x") == {}
    assert process_time() - started < 5
