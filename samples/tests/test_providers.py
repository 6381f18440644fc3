"""Agents on real providers' clients: from a caller through host, agent and client to the wire, and back.

No key is at hand, so the other end of the wire is ours; what the clients send and read is theirs.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import httpx2
import pytest
from openai import AsyncOpenAI

from agent_framework_hosting.testing import LoopbackDriver

from .conftest import Load
from .processes import started
from .wires import ANSWER, KEY, PIECES, REFUSAL, WIRES, Wire

SETTINGS = {
    "openai": {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{url}"},
    "azure_openai": {
        "AZURE_OPENAI_ENDPOINT": "{url}",
        "AZURE_OPENAI_API_KEY": KEY,
        "AZURE_OPENAI_DEPLOYMENT": "my-deployment",
    },
    "anthropic": {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "{url}"},
    "ollama": {"OLLAMA_HOST": "{url}", "OLLAMA_MODEL": "qwen3:4b"},
}
OPTIONAL = {"OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "OLLAMA_HOST"}
NEEDED = [(provider, name) for provider in SETTINGS for name in SETTINGS[provider] if name not in OPTIONAL]


@dataclass
class Served:
    """A provider's sample in a process of its own, with the wire behind it."""

    url: str
    wire: Wire

    def client(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key="unused", max_retries=0)


@pytest.fixture(scope="module", params=SETTINGS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Serve a provider's sample; no two tests of one provider run at once."""
    provider: str = request.param
    wire = WIRES[provider]()
    with LoopbackDriver(wire.app) as model:
        settings = {name: value.format(url=model.base_url) for name, value in SETTINGS[provider].items()}
        log = tmp_path_factory.mktemp(provider) / "printed"
        with started(f"providers/on_{provider}.py", log=log, settings=settings) as sample:
            yield Served(sample.url, wire)
            assert sample.stop() == 0, sample.printed


async def test_a_conversation_goes_to_the_model_and_back(served: Served) -> None:
    served.wire.seen.clear()
    async with served.client() as client:
        first = await client.responses.create(model="mine", input="Hello!")
        assert first.output_text == ANSWER
        second = await client.responses.create(model="mine", input="And again.", previous_response_id=first.id)
        assert second.output_text == ANSWER
    instructions = "You are kind and brief."
    assert served.wire.seen == [
        [instructions, "Hello!"],
        [instructions, "Hello!", ANSWER, "And again."],
    ]


async def test_a_stream_comes_in_the_pieces_of_the_model(served: Served) -> None:
    async with served.client() as client, client.responses.stream(model="mine", input="Hello!") as stream:
        pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert tuple(pieces) == PIECES
    assert (final.status, final.output_text) == ("completed", ANSWER)
    assert final.usage is not None
    assert final.usage.output_tokens == len(PIECES)


async def test_what_the_provider_refuses_is_the_servers_trouble(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.wire, "refuses", True)
    async with httpx2.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{served.url}/responses", json={"input": "Hello!"})
    assert answer.status_code in {500, 502}
    assert REFUSAL not in answer.text


@pytest.mark.parametrize(("provider", "variable"), NEEDED)
def test_what_is_missing_is_named_at_the_start(
    provider: str, variable: str, sample: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETTINGS[provider]:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv(variable)
    with pytest.raises(SystemExit, match=f"Set {variable}"):
        sample(f"providers/on_{provider}.py")
