"""Classes of Agent Framework's are told by their names as `isinstance` tells them."""

from __future__ import annotations

from typing import Any

import pytest
from agent_framework import Workflow, WorkflowRunResult

from agent_framework_hosting.workflows import is_workflow, is_workflow_result


class Own(WorkflowRunResult):
    """A class of somebody else's that stands on one of Agent Framework's."""


class Proxy:
    """What instrumentation puts in place of an object."""

    def __init__(self, value: object) -> None:
        self._value = value

    @property
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride] - as proxies do
        return type(self._value)


class Namesake:
    """Has the name alone."""


Namesake.__name__ = "WorkflowRunResult"


@pytest.mark.parametrize("value", [WorkflowRunResult([]), Own([]), Proxy(WorkflowRunResult([])), Namesake(), "text"])
def test_a_result_is_one_of_a_workflow_when_isinstance_says_so(value: object) -> None:
    assert is_workflow_result(value) == isinstance(value, WorkflowRunResult)
    assert is_workflow(value) == isinstance(value, Workflow)
