"""Requests that the OpenAPI documents allow, and such that they do not, against a served host.

Whatever is sent, nothing fails on the server's side, and every answer is one that the document describes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import positive_data_acceptance

from .served import free_port, serving

HOST: Final = Path(__file__).parent / "described_host.py"
DOCUMENTS: Final = ("/v1/responses/openapi.json", "/invocations/openapi.json")
BEYOND_A_SCHEMA: Final = {
    "approval_request_not_found",
    "conversation_not_found",
    "invalid_request",
    "invalid_value",
    "item_not_found",
    "missing_required_parameter",
    "mutually_exclusive_parameters",
    "previous_response_not_found",
    "request_not_found",
    "unsupported_endpoint",
}
"""Codes of refusals that no schema foretells: of ids, and of how the parts of a request belong together."""
SLOW: Final = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
BODIES: Final = [b"", b"{", b"\xff\xfe", b"null", b"[]", b"<a/>", b"a=b", b"--x--", b'{"input": "hi"}']
KINDS: Final = ["application/json", "text/plain", "application/xml", "multipart/form-data; boundary=x", "", "nonsense"]


REFUSES: Final = {"checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}}}
"""Any refusal will do: a body may be wrong and too large at once. The document says which ones there are."""


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Return the address of a host with the channels that have documents."""
    log = tmp_path_factory.mktemp("described") / "printed"
    with free_port() as port, serving([sys.executable, HOST, str(port)], port=port, log=log) as served:
        yield served.url
        assert served.stop() == 0, served.printed
        assert "Traceback" not in served.printed


@cache
def document(url: str, at: str) -> dict[str, Any]:
    return httpx2.get(f"{url}{at}", timeout=60).json()


def generated(operation: Any, mode: GenerationMode, *, most: int) -> Callable[[Callable[[Any], None]], None]:
    """Return what calls a function with requests to an operation."""

    def run(check: Callable[[Any], None]) -> None:
        quiet = settings(max_examples=most, phases=[Phase.generate], database=None, suppress_health_check=SLOW)
        quiet(given(operation.as_strategy(generation_mode=mode))(check))()

    return run


def is_refusable(operation: Any) -> bool:
    """Whether a request to the operation can be wrong at all: any text is an id."""
    return operation.body or any(each.location != "path" for each in operation.iter_parameters())


@pytest.mark.parametrize("at", DOCUMENTS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_every_answer_is_one_that_the_document_describes(
    described: str, at: str, mode: GenerationMode, figure: Callable[[int, int], int]
) -> None:
    # Its types are known in part only.
    known: Any = schemathesis
    schema = known.openapi.from_dict(document(described, at), config=known.Config.from_dict(REFUSES))
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not is_refusable(operation):
            continue

        def check(case: Any) -> None:
            answer = case.call_and_validate(base_url=described, excluded_checks=[positive_data_acceptance])
            if mode is GenerationMode.POSITIVE and answer.status_code == 400:
                told = answer.json()
                code = told["code"] if "code" in told else told["error"]["code"]
                assert code in BEYOND_A_SCHEMA, answer.text

        generated(operation, mode, most=figure(4, 250))(check)


@pytest.mark.parametrize("at", DOCUMENTS)
def test_methods_that_are_not_described_are_refused_as_such(described: str, at: str) -> None:
    with httpx2.Client(base_url=described, timeout=60) as client:
        for path, operations in document(described, at)["paths"].items():
            offered = {name.upper() for name in operations if name != "parameters"}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"} - offered:
                answer = client.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 405, f"{method} {path}: {answer.text}"
                assert {*answer.headers["allow"].split(", ")} == offered


@pytest.mark.parametrize("at", DOCUMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_bodies_of_any_kind_are_answered_as_described(described: str, at: str, kind: str) -> None:
    with httpx2.Client(base_url=described, timeout=60) as client:
        for path, operations in document(described, at)["paths"].items():
            if "requestBody" not in operations.get("post", {}):
                continue
            for body in BODIES:
                headers = {"content-type": kind} if kind else {}
                answer = client.post(path.replace("{", "").replace("}", ""), content=body, headers=headers)
                told = operations["post"]["responses"]
                assert str(answer.status_code) in told, f"{path} {kind} {body!r}: {answer.text}"
                assert answer.status_code < 500
                assert answer.headers["content-type"] in told[str(answer.status_code)]["content"]
