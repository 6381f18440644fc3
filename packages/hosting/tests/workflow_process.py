"""Serves one request to the notebook workflow and ends, as a process that is restarted for every turn.

Arguments: the folder for checkpoints, the session key, and the input; `answer:` and JSON is a WorkflowAnswers.
Prints JSON: the outputs, and the ids of what is asked.
"""

from __future__ import annotations

import asyncio
import json
import sys

from workflow_parts import notebook, said, say

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.workflows import WorkflowAnswers, pending_requests


async def main(folder: str, key: str, text: str) -> None:
    """Serve it."""
    value = WorkflowAnswers(json.loads(text.removeprefix("answer:"))) if text.startswith("answer:") else text
    async with AgentFrameworkHost(notebook, channels=[], checkpoint_location=folder) as host:
        result = await host.run(say(value, key))
    sys.stdout.write(json.dumps({"outputs": said(result), "asks": list(pending_requests(result.result))}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
