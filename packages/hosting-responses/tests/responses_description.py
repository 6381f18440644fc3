"""Holds what is sent against the OpenAPI document: everything is described, and nothing beyond what is described."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jsonschema_rs import Draft202012Validator

from agent_framework_hosting.web.shapes import shapes
from agent_framework_hosting_responses._outbound.event_words import EVENTS
from agent_framework_hosting_responses._outbound.item_words import OutputItem
from agent_framework_hosting_responses._outbound.vocabulary import Response

SEEN: Final[set[str]] = set()
"""The names of the schemas that something was held against."""


@cache
def _components() -> dict[str, Any]:
    named = shapes([Response, OutputItem, *EVENTS.values()])
    # The document leaves room for what later versions add; a test does not.
    return {name: {**schema, "unevaluatedProperties": False} for name, schema in named.items()}


@cache
def validator(name: str) -> Any:
    """Return what checks a value by the schema of this name."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": _components()}})


def check_described(value: Mapping[str, Any], name: str | None = None) -> None:
    """Hold a value against its schema; without a name it is an event."""
    if name is None:
        fields = {key: value[key] for key in value if key not in ("type", "sequence_number")}
        assert value["type"] in EVENTS, f"{value['type']} is not described"
        name, value = EVENTS[value["type"]].__name__, fields
    SEEN.add(name)
    validator(name).validate(value)
