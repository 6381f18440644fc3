"""The demo, served as `make serve` does, for the tests that talk to it from outside."""

from collections.abc import Generator

import pytest

from .served import COMMANDS, free_port, serving


@pytest.fixture(scope="session")
def demo_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Serve the demo with its embedded model, in a process of its own, and return its URL.

    In the end it has to stop when told to, and must not have met an error of its own.
    """
    log = tmp_path_factory.mktemp("demo") / "printed"
    with free_port() as port:
        command = [COMMANDS / "af-hosting", "demo", "--offline", "--word-delay", "0", "--port", str(port)]
        with serving(command, port=port, log=log) as served:
            yield served.url
            assert served.stop() == 0, served.printed
            assert "Traceback" not in served.printed
