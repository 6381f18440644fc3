"""LiteLLM with the demo as a model behind its OpenAI provider.

Imported by the tests only when they run: LiteLLM takes many seconds to import, and every worker collects every test.
"""

from __future__ import annotations

from typing import Any, Literal

import litellm

MODEL = "openai/gpt-4.1"
"""A name that LiteLLM knows: it pretends to stream from models that it does not know. The demo answers to any name."""

litellm.suppress_debug_info = True
Way = Literal["whole", "streamed"]
_call: Any = litellm.responses
_call_async: Any = litellm.aresponses
_complete: Any = litellm.completion
_folded: Any = vars(litellm)["stream_chunk_builder"]
_close_async: Any = vars(litellm)["close_litellm_async_clients"]


class Lite:
    """The demo, as LiteLLM reaches it; what fails is not sent again."""

    def __init__(self, base_url: str) -> None:
        self._to: dict[str, Any] = {"api_base": base_url, "api_key": "unused", "max_retries": 0}

    def events(self, input: Any, **more: Any) -> list[Any]:
        """Return the events of a streamed answer."""
        return list(_call(input=input, model=MODEL, stream=True, **self._to, **more))

    def ask(self, input: Any, *, way: Way = "whole", **more: Any) -> Any:
        """Return the response, which a stream's last event brings as well."""
        if way == "streamed":
            return self.events(input, **more)[-1].response
        return _call(input=input, model=MODEL, **self._to, **more)

    async def ask_async(self, input: Any, *, way: Way = "whole", **more: Any) -> Any:
        """Return the response to a question that is asked asynchronously."""
        answer = await _call_async(input=input, model=MODEL, stream=way == "streamed", **self._to, **more)
        return answer if way == "whole" else [event async for event in answer][-1].response

    def complete(self, messages: list[dict[str, Any]], **more: Any) -> Any:
        """Return the answer to messages in the words of Chat Completions, which LiteLLM translates to and fro."""
        return _complete(messages=messages, model="openai/responses/gpt-4.1", **self._to, **more)

    def chat(self, messages: list[dict[str, Any]], *, stream: bool, **more: Any) -> Any:
        """Return the answer of Chat Completions themselves; LiteLLM puts that of a stream together."""
        if not stream:
            return _complete(messages=messages, model=MODEL, **self._to, **more)
        more["stream_options"] = {"include_usage": True}
        return _folded(list(_complete(messages=messages, model=MODEL, stream=True, **self._to, **more)))

    async def close(self) -> None:
        """Close the connections that LiteLLM keeps for the running event loop."""
        await _close_async()


def again(response: Any) -> list[Any]:
    """Return all output items as input."""
    return [item if isinstance(item, dict) else item.model_dump(exclude_none=True) for item in response.output]
