"""What a stream keeps for as long as it is open."""

import gc

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedAgent
from agent_framework_hosting_responses._inbound.request import ResponsesRequest, parse
from agent_framework_hosting_responses.channel import ResponsesChannel

ASKED = {"model": "m", "input": "Count to two, slowly.", "stream": True}


def living() -> int:
    """How many requests there are that ask this."""
    gc.collect()
    requests = [each for each in gc.get_objects() if isinstance(each, ResponsesRequest)]
    return sum(each.body == ASKED for each in requests)


async def test_an_open_stream_does_not_keep_the_request_that_it_answers() -> None:
    request = parse(ASKED)
    assert living() == 1
    del request
    gate = Gate("second half")
    host = AgentFrameworkHost(ScriptedAgent(["One, ", gate, "two."]), channels=[ResponsesChannel()])
    async with InMemoryDriver(host.app) as driver, driver.stream("POST", "/responses", json=ASKED) as answer:
        data = b""
        while b"One" not in data:
            data += await anext(answer)
        assert living() == 0
        gate.open()
        assert b"response.completed" in await answer.read()
