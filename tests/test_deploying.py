"""What samples/deployment holds: a proxy in front of a real host, and files that fit the host they are for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from websockets.sync.client import connect

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting_responses.channel import ResponsesChannel

from .clients.stream_rules import check_stream
from .served import Served, free_port, serving, starting

ROOT = Path(__file__).parents[1]
FILES = ROOT / "samples" / "deployment"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (on Debian: apt install nginx-light)")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deploying")


@pytest.fixture(scope="module")
def host(printed: Path) -> Generator[Served]:
    """A host whose answers wait at a gate."""
    with free_port() as port:
        command = [sys.executable, Path(__file__).with_name("gated_host.py"), str(port), "5"]
        with serving(command, port=port, log=printed / "host") as served:
            yield served


@pytest.fixture(scope="module")
def proxy(host: Served, printed: Path) -> Generator[str]:
    """The nginx of the sample in front of it, but for the ports; returns its URL."""
    assert NGINX is not None
    with free_port() as port:
        settings = (FILES / "nginx.conf").read_text()
        settings = settings.replace("server 127.0.0.1:8000;", f"server {host.url.removeprefix('http://')};")
        settings = settings.replace("listen 8080;", f"listen 127.0.0.1:{port};")
        assert settings.count(str(port)) == 1
        # Where a process without rights of its own may write.
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "".join(f"{kind}_temp_path {printed}/{kind};\n" for kind in kinds)
        settings = settings.replace("http {", f"http {{\naccess_log off;\n{places}", 1)
        file = printed / "nginx.conf"
        file.write_text(f"daemon off;\npid {printed}/nginx.pid;\nerror_log stderr;\n{settings}")
        command = [NGINX, "-p", str(printed), "-e", "stderr", "-c", str(file)]
        with serving(command, port=port, log=printed / "nginx") as front:
            yield f"http://127.0.0.1:{port}"
            # Killed, it would leave its workers behind.
            assert front.stop() == 0, front.printed


def lines(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream as they come."""
    for line in response.iter_lines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


@needs_nginx
def test_a_stream_passes_nginx_as_it_comes(proxy: str) -> None:
    """The gate opens when the first half has been read: a proxy that holds it back would never get the second."""
    body = {"input": "gated", "stream": True}
    with httpx2.stream("POST", f"{proxy}/v1/responses", json=body, timeout=30) as response:
        events = lines(response)
        seen = [next(events)]
        while seen[-1]["type"] != "response.output_text.delta":
            seen.append(next(events))
        assert httpx2.post(f"{proxy}/gate", timeout=30).status_code == 200
        seen += events
    assert seen[-1]["type"] == "response.completed"


@needs_nginx
def test_whole_answers_and_their_streams_are_those_of_the_host(proxy: str) -> None:
    body = {"input": "quick", "stream": True}
    final = check_stream(httpx2.post(f"{proxy}/v1/responses", json=body, timeout=30).content)
    again = httpx2.get(f"{proxy}/v1/responses/{final['id']}", timeout=30)
    assert again.json() == final
    assert again.headers["x-request-id"].startswith("req_")


@needs_nginx
def test_the_host_is_known_by_the_name_that_people_use_and_by_no_other(proxy: str) -> None:
    body = {"input": "quick"}
    for name, status in (("agent.example.com", 200), ("evil.example", 421)):
        answer = httpx2.post(f"{proxy}/v1/responses", json=body, headers={"host": name}, timeout=30)
        assert answer.status_code == status


@needs_nginx
def test_a_websocket_passes_nginx(proxy: str) -> None:
    with connect(f"ws{proxy.removeprefix('http')}/v1/responses") as socket:
        socket.send(json.dumps({"type": "response.create", "input": "quick"}))
        events = [json.loads(socket.recv(timeout=30))]
        while events[-1]["type"] != "response.completed":
            events.append(json.loads(socket.recv(timeout=30)))
    assert events[0]["type"] == "response.created"


@needs_nginx
def test_nginx_refuses_what_the_host_would_refuse_as_too_large(proxy: str) -> None:
    size = re.search(r"client_max_body_size (\d+)m;", (FILES / "nginx.conf").read_text())
    assert size is not None
    assert int(size[1]) * 1024 * 1024 == Limits().max_request_bytes
    content = b" " * (Limits().max_request_bytes + 1)
    assert httpx2.post(f"{proxy}/v1/responses", content=content, timeout=30).status_code == 413


def stage(dockerfile: str) -> list[list[str]]:
    """Return the instructions of the last stage, each parted from what it is given."""
    whole = re.sub(r"\\\n\s*", "", dockerfile)
    instructions = [line.split(" ", 1) for line in whole.splitlines() if line and not line.startswith("#")]
    begin = max(number for number, instruction in enumerate(instructions) if instruction[0] == "FROM")
    return instructions[begin:]


def test_the_image_runs_as_nobody_and_the_host_gets_the_signals() -> None:
    instructions = stage((FILES / "Dockerfile").read_text())
    given = {name: value for name, value in instructions if name != "COPY"}
    user, _, group = given["USER"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert json.loads(given["CMD"]) == ["/app/bin/python", "app.py"]
    assert [name for name, _ in instructions].index("USER") > max(
        number for number, (name, _) in enumerate(instructions) if name == "COPY"
    )


def test_the_image_gets_what_is_there_and_nothing_else() -> None:
    dockerfile = (FILES / "Dockerfile").read_text()
    copied = [value.split()[0] for value in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE)]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    wanted = [line[1:] for line in (FILES / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    assert wanted == copied
    for package in re.findall(r"/packages/([\w-]+)", dockerfile):
        assert (ROOT / "packages" / package / "pyproject.toml").exists(), package


def documents() -> dict[str, Any]:
    """Return what kubernetes.yaml describes, by kind."""
    return {document["kind"]: document for document in yaml.safe_load_all((FILES / "kubernetes.yaml").read_text())}


def test_the_probes_ask_what_the_host_answers_to_everybody() -> None:
    host = AgentFrameworkHost(ScriptedAgent(), channels=[ResponsesChannel()])
    public = {entrance.path for entrance in host.entrances if entrance.authenticated_by == "nobody"}
    (container,) = documents()["Deployment"]["spec"]["template"]["spec"]["containers"]
    asked = {kind: container[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert set(asked.values()) == public
    assert asked["readinessProbe"] == "/readiness"


def test_a_pod_gets_the_time_that_a_drain_takes() -> None:
    pod = documents()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    _, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    flush = 10
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + Limits().drain_timeout + flush
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert str(pod["securityContext"]["runAsUser"]) in (FILES / "Dockerfile").read_text()


def test_the_program_of_the_image_asks_for_keys_and_serves_whoever_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that it cannot write to, as in an image with a read-only root."""
    command = [sys.executable, str(FILES / "app.py")]
    monkeypatch.delenv("AF_HOSTING_API_KEYS", raising=False)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "Set AF_HOSTING_API_KEYS to what `af-hosting keys new --name NAME` prints for it.\n"
    made = subprocess.run(
        [Path(sys.executable).parent / "af-hosting", "keys", "new", "--name", "ada"],
        capture_output=True,
        text=True,
        check=True,
    )
    key, entry = re.findall(r"\bafh_\S+|ada:sha256-\S+", made.stdout)
    monkeypatch.setenv("AF_HOSTING_API_KEYS", entry)
    monkeypatch.setenv("HOST", "0.0.0.0")
    with ExitStack() as stack:
        port = stack.enter_context(free_port())
        monkeypatch.setenv("PORT", str(port))
        folder = tmp_path / "read-only"
        folder.mkdir(mode=0o500)
        served = stack.enter_context(starting(command, port=port, log=tmp_path / "printed", cwd=folder))
        served.wait_for_readiness(200)
        url, body = f"{served.url}/v1/responses", {"input": "Are you there?"}
        assert httpx2.post(url, json=body, timeout=30).status_code == 401
        known = {"authorization": f"Bearer {key}"}
        answer = httpx2.post(url, json=body, headers=known, timeout=30).json()
        assert answer["output"][0]["content"][0]["text"] == "echo: Are you there?"
        assert served.stop() == 0
        assert list(folder.iterdir()) == []
