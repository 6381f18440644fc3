"""`serve(workers=2)` with real processes: replaced when they die, told when all is to end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from textwrap import dedent

import anyio
import httpx2
import pytest
from anyio.to_thread import run_sync
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent_framework_hosting._server import configuration
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import ScriptedAgent

from .clients.stream_rules import check_stream
from .replicas import Replicas, replicas, responses_body, say, until
from .served import COMMANDS, Served, free_port, serving, starting

PLENTY = 150.0

# A start is three processes that import one after another, about 1.5 s of CPU each: on a machine that is busy with
# other things a test of seconds takes minutes, and what is waited for is an event, never a time.
pytestmark = pytest.mark.timeout(300)


@contextmanager
def two_workers(folder: Path) -> Generator[Replicas[Served]]:
    with replicas(folder, f"sqlite:///{folder}/state/host.db", 1, workers=2, agent="scripted") as one:
        yield one


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


CROWD = 64

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Without the system's certificates, which each client would read for itself."""


async def ask(url: str, text: str) -> None:
    """Ask on a connection of its own, which any worker may take."""
    async with httpx2.AsyncClient(timeout=PLENTY, verify=NO_TLS) as client:
        answer = await say(client, url, text)
    assert answer.json() == {"said": f"<{text}>"}


async def answering(one: Replicas[Served], *, count: int) -> set[int]:
    """Return the processes that answer, once there are so many."""
    pids: set[int] = set()
    give_up = anyio.current_time() + PLENTY
    while len(pids) < count:
        assert anyio.current_time() < give_up, f"Only {pids} answered.\n{one.served[0].printed}"
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(ask, one.url(), "who?")
        pids = {each["pid"] for each in one.begun() if is_alive(each["pid"])}
    return pids


async def test_a_worker_that_is_killed_is_replaced_and_a_signal_lets_all_finish(tmp_path: Path) -> None:
    """Others go on meanwhile, and the loss is logged; streams under way are finished, and new work is refused."""
    names = [str(number) for number in range(8)]
    bodies: dict[str, bytes] = {}
    with two_workers(tmp_path) as one:
        (served,) = one.served
        victim, survivor = await answering(one, count=2)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: f"process {victim}) was ended by SIGKILL" in served.printed, "the log line")
        pids = await answering(one, count=2)
        assert survivor in pids
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(read, one, name, bodies)
            for name in names:
                await one.reached(name)
            served.signal(signal.SIGINT)
            # Ctrl+C reaches every process of a terminal: that is no second signal, and breaks into nothing.
            for pid in pids:
                os.kill(pid, signal.SIGINT)
            await run_sync(served.wait_for_readiness, 503)
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
            async with httpx2.AsyncClient(timeout=PLENTY) as client:
                refused = await say(client, served.url, "late")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
            for name in names:
                one.open(name)
        assert await run_sync(served.end) == 0
    assert [check_stream(bodies[name])["status"] for name in names] == ["completed"] * 8
    assert not any(is_alive(pid) for pid in pids)
    assert served.printed.count("Serving scripted") == 1
    assert served.printed.count("Told to stop: ") == 1
    address = served.url.removeprefix("http://")
    assert re.search(rf"Serving scripted on {address}: .*State: sqlite:.*Workers: 2\.", served.printed)
    assert "Running on" not in served.printed
    assert "Traceback" not in served.printed
    assert served.printed.endswith("served\n")


async def read(one: Replicas[Served], name: str, bodies: dict[str, bytes]) -> None:
    """Keep the stream of an answer that waits at the gate of that name."""
    body = responses_body(f"hello [{name}]", stream=True)
    async with (
        httpx2.AsyncClient(timeout=PLENTY, verify=NO_TLS) as client,
        client.stream("POST", f"{one.url()}/v1/responses", json=body) as answer,
    ):
        bodies[name] = await answer.aread()


async def test_a_second_signal_ends_all_processes_at_once(tmp_path: Path) -> None:
    with two_workers(tmp_path) as one:
        (served,) = one.served
        pids = await answering(one, count=2)
        async with anyio.create_task_group() as group:

            async def be_cut() -> None:
                with pytest.raises(httpx2.TransportError):
                    await ask(served.url, "slow [slow]")

            group.start_soon(be_cut)
            await one.reached("slow")
            served.signal(signal.SIGTERM)
            await run_sync(served.wait_for_readiness, 503)
            served.signal(signal.SIGTERM)
        assert await run_sync(served.end) == 1
        await until(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers")


async def test_workers_whose_supervisor_was_killed_finish_and_end(tmp_path: Path) -> None:
    with two_workers(tmp_path) as one:
        (served,) = one.served
        pids = await answering(one, count=2)
        async with anyio.create_task_group() as group:
            group.start_soon(ask, served.url, "slow [slow]")
            await one.reached("slow")
            served.signal(signal.SIGKILL)
            assert await run_sync(served.end) == -signal.SIGKILL
            await until(lambda: served.printed.count("The supervisor is gone") == 2, "the workers' notice")
            one.open("slow")
        await until(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers")
    assert "Traceback" not in served.printed


APP = """
    from agent_framework_hosting.host import AgentFrameworkHost
    from agent_framework_hosting.testing import ScriptedAgent

    host = AgentFrameworkHost(ScriptedAgent(), channels=[], database="sqlite:///./host.db")

    def make_host():
        return host

    something = 5
"""


def write_app(folder: Path, more: str = "") -> Path:
    path = folder / "app.py"
    path.write_text("\n".join(line.removeprefix("    ") for line in f"{APP}{more}".splitlines()))
    return path


def failed(command: list[str | Path], folder: Path) -> tuple[int, str]:
    """Run a program that cannot serve; returns its exit code and what it said."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PLENTY, check=False)
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def test_the_command_serves_the_host_of_a_module_and_says_when_its_port_is_taken(tmp_path: Path) -> None:
    write_app(tmp_path)
    with free_port() as port:
        command = [COMMANDS / "af-hosting", "serve", "app:host", "--workers", "2", "--port", str(port)]
        with serving(command, port=port, log=tmp_path / "printed", cwd=tmp_path) as served:
            code, error = failed(command, tmp_path)
            assert code == 2
            assert f"Nothing can be served on 127.0.0.1:{port}: " in error
            assert "Traceback" not in error
            assert served.stop() == 0
    assert "Workers: 2." in served.printed


def test_workers_that_cannot_start_end_the_whole_and_say_why_once(tmp_path: Path) -> None:
    """No storm of restarts: the first one's error is everybody's."""
    (tmp_path / "host.db").write_text("this is no database at all, whatever its name may say about it")
    write_app(tmp_path)
    code, error = failed([COMMANDS / "af-hosting", "serve", "app:host", "--workers", "2"], tmp_path)
    assert code == 1
    assert error.count("host.db cannot be used as the host's database") == 1
    assert "Traceback" not in error


def test_an_import_path_is_followed_by_the_workers(tmp_path: Path) -> None:
    """A host that is no variable of a module is found where the option says."""
    write_app(tmp_path)
    program = "import app; app.make_host().serve(workers=2, import_path='app:nothing')"
    code, error = failed([sys.executable, "-c", program], tmp_path)
    assert code == 1
    assert error.rstrip().endswith("StartFailed: The module 'app' has no 'nothing'. Is 'app:host' meant?")


CHOSEN_LOOP = """
    import asyncio
    import signal

    import app

    class Jealous(asyncio.SelectorEventLoop):
        def add_signal_handler(self, number, callback, *args):
            if number == signal.SIGCHLD:
                raise RuntimeError("this loop keeps that signal to itself, as uvloop does")
            super().add_signal_handler(number, callback, *args)

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self):
            return Jealous()

    asyncio.set_event_loop_policy(Policy())
    app.make_host().serve(workers=2, import_path="app:nothing")
"""


def test_a_program_may_choose_a_loop_that_keeps_the_ends_of_children_to_itself(tmp_path: Path) -> None:
    """It comes as far as a worker, which says what it has to say."""
    write_app(tmp_path)
    code, error = failed([sys.executable, "-c", dedent(CHOSEN_LOOP)], tmp_path)
    assert code == 1
    assert error.rstrip().endswith("StartFailed: The module 'app' has no 'nothing'. Is 'app:host' meant?")


def test_a_host_that_nobody_else_can_import_is_refused_with_both_mends(tmp_path: Path) -> None:
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], database=f"sqlite:///{tmp_path}/host.db")
    with pytest.raises(ConfigurationError, match="Another process cannot find this host") as refused:
        host.serve(workers=2)
    assert "above `if __name__ == '__main__':`" in refused.value.message
    assert 'serve(workers=2, import_path="package.module:host")' in refused.value.message


def test_a_program_that_serves_while_it_is_imported_is_told_what_to_do(tmp_path: Path) -> None:
    path = write_app(tmp_path, "    host.serve(workers=2)\n")
    code, error = failed([sys.executable, path], tmp_path)
    assert code == 1
    assert error.count("Call it under `if __name__ == '__main__':`.") == 1


SPOKEN = """
    import os

    from agent_framework_hosting.host import AgentFrameworkHost
    from agent_framework_hosting.testing import ScriptedAgent
    from agent_framework_hosting_responses.channel import ResponsesChannel

    agent = ScriptedAgent(every=lambda run: str(os.getpid()))
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()], database="sqlite:///./host.db")

    if __name__ == "__main__":
        host.serve(workers=2, {options})
"""


@contextmanager
def served_with(folder: Path, options: str, *, port: int = 0) -> Generator[Served]:
    """Serve an agent that answers with its process, by two workers and with such options; stopped in order."""
    program = folder / "spoken.py"
    program.write_text(dedent(SPOKEN).format(options=options))
    with starting([sys.executable, program], port=port, log=folder / "printed", cwd=folder) as served:
        served.wait_for_print("Workers: 2.")
        yield served
        assert served.stop() == 0
    assert "Traceback" not in served.printed


def answering_process(url: str, transport: httpx2.HTTPTransport) -> int:
    """Return the process that answers on a connection of its own."""
    with httpx2.Client(transport=transport, timeout=PLENTY, verify=NO_TLS) as client:
        answer = client.post(f"{url}/responses", json={"input": "who?"})
    return int(answer.json()["output"][0]["content"][0]["text"])


def answered_by(count: int, url: str, connect: Callable[[], httpx2.HTTPTransport]) -> set[int]:
    """Return the processes that answer at a URL, on connections of their own, once there are so many."""
    pids: set[int] = set()
    give_up = time.monotonic() + PLENTY
    while len(pids) < count:
        assert time.monotonic() < give_up, f"Only {pids} answered."
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(answering_process, url, connect()) for _ in range(4)]
        # The line that they serve comes a moment before they listen.
        pids.update(each.result() for each in asked if not isinstance(each.exception(), httpx2.ConnectError))
    return pids


def test_workers_share_a_unix_socket(tmp_path: Path) -> None:
    # The path of a socket has 107 characters at the most, and folders of tests are deep.
    with tempfile.TemporaryDirectory(prefix="af-") as folder:
        path = Path(folder) / "agent.sock"
        with served_with(tmp_path, f"host='unix:{path}'") as served:
            pids = answered_by(2, "http://localhost", lambda: httpx2.HTTPTransport(uds=str(path), verify=NO_TLS))
            assert served.process.pid not in pids
            assert f"Serving scripted on unix:{path}: " in served.printed


def test_workers_share_an_address_with_tls(tmp_path: Path) -> None:
    """With the certificate that was named, and nobody is answered in plain text."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with free_port() as port:
        options = f"port={port}, certfile='{certificate}', keyfile='{key}'"
        with served_with(tmp_path, options, port=port) as served:
            pids = answered_by(2, f"https://127.0.0.1:{port}", lambda: httpx2.HTTPTransport(verify=trusting))
            assert served.process.pid not in pids
            with pytest.raises(httpx2.TransportError):
                httpx2.get(f"{served.url}/readiness")


async def test_workers_take_connections_with_tls_in_turn(tmp_path: Path) -> None:
    """When the first of a crowd is taken, most are left to others; and whoever was taken is answered with TLS."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with socket.create_server(("127.0.0.1", 0), backlog=CROWD) as listening, ExitStack() as crowd:
        other = crowd.enter_context(listening.dup())
        other.setblocking(False)
        options = {"bind": f"fd://{listening.dup().detach()}", "certfile": str(certificate), "keyfile": str(key)}
        config = configuration(bind="", options=options, limits=Limits(), is_shared=True)
        (mine,) = config.create_sockets().secure_sockets
        clients = [crowd.enter_context(socket.create_connection(listening.getsockname())) for _ in range(CROWD)]
        left: list[socket.socket] = []
        ended: asyncio.Queue[None] = asyncio.Queue()

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"taken")
            writer.close()
            await writer.wait_closed()
            ended.put_nowait(None)

        def on_taken() -> asyncio.StreamReaderProtocol:
            # Before the handshake; the loop has accepted as many as it does in one turn.
            with suppress(BlockingIOError):
                while True:
                    left.append(crowd.enter_context(other.accept()[0]))
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(), answer)

        loop = asyncio.get_running_loop()
        async with await loop.create_server(on_taken, sock=mine, ssl=config.create_ssl_context(), backlog=CROWD):
            # The system hands connections out in the order in which they came: the first one was taken.
            assert await ask_with_tls(clients[0], trusting) == b"taken"
            taken = CROWD - len(left)
            assert 0 < taken < CROWD // 2
            assert [await ask_with_tls(client, trusting) for client in clients[1:taken]] == [b"taken"] * (taken - 1)
            for _ in range(taken):
                await ended.get()


async def ask_with_tls(client: socket.socket, trusting: ssl.SSLContext) -> bytes:
    """Read all that a server says on a connection."""
    reader, writer = await asyncio.open_connection(
        sock=client.dup(), ssl=trusting, server_hostname="127.0.0.1", ssl_handshake_timeout=PLENTY
    )
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


def write_certificate(certificate: Path, key: Path) -> None:
    """Make a certificate of the loopback address that speaks for itself, and its key."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, secret.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
