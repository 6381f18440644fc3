"""Members of the objects of a request, and what a kind of parts is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec
from agent_framework import Content

from agent_framework_hosting.parsing.checks import Check, some_members, text

_Reader: TypeAlias = Callable[[dict[str, Any], str], Content]


GIVEN: Final = ("user", "system", "tool")
"""Whose parts are given to the agent, as against what it has said itself."""


class PartKind(msgspec.Struct, frozen=True):
    """A kind of parts: its members, how one is read, who may say it, and what else holds of its members."""

    members: Check
    read: _Reader
    by: tuple[str, ...]
    rule: Mapping[str, Any] = MappingProxyType({})


def all_of(**members: Check) -> Check:
    """Return a check for an object that has to have all of these members."""
    return some_members(members, required=tuple(members))


def optional(item: dict[str, Any], key: str, at: str) -> str | None:
    """Return a text that may be absent."""
    value = item.get(key)
    return None if value is None else text(value, f"{at}.{key}")
