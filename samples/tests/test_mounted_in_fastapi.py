"""The sample does what its first lines say."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from agent_framework_hosting.testing import InMemoryDriver


async def test_users_have_a_conversation_each_and_strangers_have_none() -> None:
    app: Any = runpy.run_path(str(Path(__file__).parent.parent / "mounted_in_fastapi.py"))["app"]
    async with InMemoryDriver(app) as driver:

        async def say(user: str, text: str) -> Any:
            headers = {"authorization": f"Bearer {user}-token"}
            answer = await driver.request("POST", "/agent/v1/responses", json={"input": text}, headers=headers)
            return answer.json()["output"][0]["content"][0]["text"]

        assert await say("ada", "I am Ada") == "I am Ada"
        assert await say("bob", "I am Bob") == "I am Bob"
        assert await say("ada", "Who am I?") == "I am Ada | Who am I?"
        assert (await driver.request("POST", "/agent/v1/responses", json={"input": "hi"})).status == 401
        assert (await driver.request("GET", "/health")).json() == {"ok": True}
