"""The demo knows its own address in every spelling, and whether it can listen there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting_responses._demo._address import (
    AddressError,
    check_free,
    display_url,
    host_of,
    is_loopback,
    points_at,
)

EVERYWHERE = str(IPv4Address(0))

LOCAL_URLS = [
    "http://127.0.0.1:8000/v1",
    "http://127.0.0.1:8000",
    "http://127.0.0.1:8000/",
    "http://localhost:8000/v1/",
    "http://LOCALHOST:8000",
    "http://localhost.:8000",
    "http://[::1]:8000/v1",
    f"http://{EVERYWHERE}:8000",
    "http://[::]:8000",
    "http://127.1:8000",
    "http://127.9.9.9:8000",
    "http://[::ffff:127.0.0.1]:8000",
    "https://localhost:8000/v1",
    "http://user:secret@localhost:8000/anything/else",
]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", EVERYWHERE, "::"])
@pytest.mark.parametrize("url", LOCAL_URLS)
def test_a_local_url_with_the_demos_port_points_at_the_demo(url: str, host: str) -> None:
    assert points_at(url, host=host, port=8000)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1234/v1",
        "http://localhost/v1",
        "https://api.openai.com/v1",
        "http://192.0.2.7:8000/v1",
        "http://model.example:8000/v1",
    ],
)
def test_another_port_or_machine_is_somebody_else(url: str) -> None:
    assert not points_at(url, host="127.0.0.1", port=8000)


def test_a_port_that_the_scheme_implies_counts() -> None:
    assert points_at("http://localhost/v1", host="127.0.0.1", port=80)
    assert points_at("https://localhost/v1", host="127.0.0.1", port=443)


def test_the_address_it_listens_at_is_its_own_wherever_that_is() -> None:
    assert points_at("http://192.0.2.7:8000/v1", host="192.0.2.7", port=8000)
    assert not points_at("http://localhost:8000/v1", host="192.0.2.7", port=8000)


def test_the_machines_own_name_counts_when_it_listens_everywhere() -> None:
    url = f"http://{socket.gethostname()}:8000/v1"
    assert points_at(url, host=EVERYWHERE, port=8000)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "",
        "8000",
        "ftp://localhost/",
        "http://",
        "http://[::1",
        "http://localhost:port",
        "http://h:99999",
    ],
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(AddressError, match="base URL"):
        host_of(url)


@given(st.text() | st.text(alphabet="htp:/[]@.0127localhost#?%", max_size=40).map(lambda rest: f"http://{rest}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(AddressError):
        points_at(text, host="127.0.0.1", port=8000)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), (EVERYWHERE, False), ("::", False), ("box", False)],
)
def test_only_loopback_addresses_are_out_of_others_reach(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        (EVERYWHERE, "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("box", "http://box:8000"),
    ],
)
def test_the_url_shown_is_one_that_a_person_can_open(host: str, url: str) -> None:
    assert display_url(host, 8000) == url


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_refused_with_another_one_to_try(taken_port: int) -> None:
    with pytest.raises(AddressError, match=rf"port {taken_port} of 127\.0\.0\.1 is taken.*--port"):
        check_free("127.0.0.1", taken_port)


def test_a_port_is_free_again_once_its_server_is_gone(taken_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            pass
    check_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(AddressError, match=r"192\.0\.2\.7 is no address of this machine"):
        check_free("192.0.2.7", 8000)
