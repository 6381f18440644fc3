"""Contract suites: one body of tests for everybody's channels and stores.

Inherit from a suite, say how your own part is used, and pytest runs all of it. These modules need pytest and Hypothesis
(the `[testing]` extra); nothing else in `agent_framework_hosting.testing` does.

- `ChannelContract` is what every channel has to keep: mounting, lifecycle, good and hostile input, errors, hooks,
  continuity, ownership, concurrency, disconnects, streams. A `ChannelAdapter` (for plain HTTP an `HTTPAdapter`) says
  how to talk to the channel, and what it lacks, with a reason.
- `StoreContract` is what every `StateStore` has to keep.

Example:
    A channel that takes `{"question": "..."}` and answers `{"id": "...", "answer": "..."}`, or server-sent events::

        from agent_framework_hosting.testing import Answer
        from agent_framework_hosting.testing.contracts import ChannelContract, HTTPAdapter, Line, Said


        class AskAdapter(HTTPAdapter):
            lacks = {"conversations": "a question names the answer before it", "reset": "one that names none is new"}

            def make(self, **options: Any) -> Channel:
                return AskChannel(**options)  # path, run_hook, response_hook, stream_update_hook

            def message(self, line: Line, text: str, *, stream: bool) -> Any:
                return {"question": text, "after": line.last_id, "stream": stream}

            def answered(self, answer: Answer) -> Said:
                return Said(text=answer.json()["answer"], id=answer.json()["id"])

            async def shown(self, events: AsyncIterator[ServerSentEvent]) -> AsyncGenerator[str | Said, None]:
                text = ""
                async for event in events:
                    if event.event == "piece":
                        text += event.json()
                        yield text
                    else:
                        yield Said(text=event.json()["answer"], id=event.json()["id"])


        class TestAskChannel(ChannelContract):
            adapter = AskAdapter

    Run it with `pytest -rs`, which lists what is lacking, and why.
"""

from pkgutil import iter_modules

import pytest

# Failures of these suites are read by those who did not write them: pytest shows the values, as in a test of their own.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from ._adapter import Capability, ChannelAdapter, HTTPAdapter, Line, Said
from ._channel import ChannelContract
from ._store import StoreContract

__all__ = ["Capability", "ChannelAdapter", "ChannelContract", "HTTPAdapter", "Line", "Said", "StoreContract"]
