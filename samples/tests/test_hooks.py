"""The recipes for hooks and keys do what their first lines say."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent

from .conftest import Load
from .talk import ask, deltas, events, final, text


class TestEnforceOptions:
    async def asked(self, sample: Load, **fields: Any) -> tuple[dict[str, object], str]:
        enforcing = sample("hooks/enforce_options.py")
        agent = ScriptedAgent()
        host = AgentFrameworkHost(agent, channels=[enforcing.ResponsesChannel(run_hook=enforcing.enforce)])
        async with InMemoryDriver(host.app) as driver:
            answer = await ask(driver, "Hi", **fields)
        assert answer.status == 200
        return agent.runs[0].options, answer.text

    async def test_what_callers_say_nothing_about_is_set(self, sample: Load) -> None:
        options, _ = await self.asked(sample)
        assert options == {"temperature": 0.2, "max_tokens": 500}

    async def test_what_callers_want_is_capped_and_what_they_may_have_passes(self, sample: Load) -> None:
        options, _ = await self.asked(sample, temperature=2, max_output_tokens=9000, top_p=0.5)
        assert options == {"temperature": 0.2, "max_tokens": 500, "top_p": 0.5}
        options, _ = await self.asked(sample, max_output_tokens=20)
        assert options["max_tokens"] == 20

    async def test_tools_of_callers_do_not_reach_the_agent(self, sample: Load) -> None:
        tool: dict[str, Any] = {"type": "function", "name": "wipe", "parameters": {"type": "object", "properties": {}}}
        options, _ = await self.asked(sample, tools=[tool], tool_choice="required")
        assert options == {"temperature": 0.2, "max_tokens": 500}

    async def test_a_cheap_effort_is_granted_and_a_dear_one_is_not(self, sample: Load) -> None:
        options, _ = await self.asked(sample, reasoning={"effort": "low"})
        assert options["reasoning"] == {"effort": "low"}
        options, _ = await self.asked(sample, reasoning={"effort": "high"})
        assert "reasoning" not in options

    async def test_streams_get_the_same(self, sample: Load) -> None:
        async with InMemoryDriver(sample("hooks/enforce_options.py").host.app) as driver:
            assert deltas(await events(driver, "Hi", temperature=2)) == "max_tokens=500, temperature=0.2"


class TestShapeWorkflowInput:
    async def test_text_becomes_an_order(self, sample: Load) -> None:
        async with InMemoryDriver(sample("hooks/shape_workflow_input.py").host.app) as driver:
            told = "3 of kettles: that will be 15 pounds."
            assert text((await ask(driver, " 3 kettles\n")).json()) == told
            assert text(final(await events(driver, "3  kettles"))) == told

    @pytest.mark.parametrize("said", ["kettles", "3", "3 ", "-3 kettles", "³ kettles", " ", "9" * 5000 + " kettles"])
    async def test_what_is_no_order_is_told_what_one_looks_like(self, sample: Load, said: str) -> None:
        async with InMemoryDriver(sample("hooks/shape_workflow_input.py").host.app) as driver:
            for stream in (False, True):
                answer = await ask(driver, said, stream=stream)
                assert (answer.status, answer.json()["error"]["param"]) == (400, "input")
                assert "for example '3 kettles'" in answer.text

    async def test_no_input_at_all_is_no_order_either(self, sample: Load) -> None:
        async with InMemoryDriver(sample("hooks/shape_workflow_input.py").host.app) as driver:
            body: dict[str, Any] = {"input": [], "previous_response_id": "resp_0"}
            assert (await driver.request("POST", "/responses", json=body)).status == 400


class TestDropUpdates:
    async def test_thoughts_are_neither_streamed_nor_stored_and_whole_answers_have_them(self, sample: Load) -> None:
        dropping = sample("hooks/drop_updates.py")
        async with InMemoryDriver(dropping.host.app) as driver:
            streamed = await ask(driver, "2 + 3?", stream=True)
            assert "sure" not in streamed.text
            assert deltas(streamed.events()) == "It is 5."
            assert [item["type"] for item in final(streamed.events())["output"]] == ["message"]
            whole = (await ask(driver, "2 + 3?")).json()
            assert [item["type"] for item in whole["output"]] == ["reasoning", "message"]

    async def test_the_session_remembers_what_was_dropped(self, sample: Load) -> None:
        dropping = sample("hooks/drop_updates.py")
        async with InMemoryDriver(dropping.host.app) as driver:
            first = final(await events(driver, "2 + 3?"))
            await ask(driver, "Sure?", previous_response_id=first["id"])
        said = dropping.client.calls[1].messages[1]
        assert [content.type for content in said.contents] == ["text_reasoning", "text"]


class TestKeyFromLogin:
    @staticmethod
    def basic(name: str, password: str) -> str:
        return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"

    async def test_users_have_a_conversation_each(self, sample: Load) -> None:
        async with InMemoryDriver(sample("hooks/key_from_login.py").app) as driver:

            async def say(name: str, password: str, said: str, **fields: str) -> dict[str, object]:
                who = self.basic(name, password)
                answer = await ask(driver, said, path="/agent/responses", authorization=who, **fields)
                return {"status": answer.status, **answer.json()}

            await say("ada", "lovelace", "I am Ada")
            bobs = await say("bob", "builder", "I am Bob")
            adas = await say("ada", "lovelace", "Who am I?")
            assert text(adas) == "I am Ada | Who am I?"
            assert text(bobs) == "I am Bob"
            goes_on = await say("ada", "lovelace", "Go on", previous_response_id=str(adas["id"]))
            assert text(goes_on) == "I am Ada | Who am I? | Go on"
            stolen = await say("bob", "builder", "Go on", previous_response_id=str(adas["id"]))
            unknown = await say("bob", "builder", "Go on", previous_response_id="resp_0")
            assert stolen["status"] == unknown["status"] == 400

    @pytest.mark.parametrize("who", ["", "Basic", "Basic ada", "Basic YWRh", "Basic //8=", "Bearer YWRhOmxvdmVsYWNl"])
    async def test_strangers_are_refused(self, sample: Load, who: str) -> None:
        async with InMemoryDriver(sample("hooks/key_from_login.py").app) as driver:
            answer = await ask(driver, "Hi", path="/agent/responses", authorization=who)
            assert (answer.status, answer.text) == (401, "Who are you?")
            wrong = await ask(driver, "Hi", path="/agent/responses", authorization=self.basic("ada", "wrong"))
            assert (wrong.status, wrong.text) == (401, "Who are you?")


class TestKeyFromRoute:
    async def test_a_room_is_one_conversation_of_its_members(self, sample: Load) -> None:
        async with InMemoryDriver(sample("hooks/key_from_route.py").app) as driver:

            async def say(who: str, room: str, said: str, **fields: str) -> str:
                path, token = f"/rooms/{room}/responses", f"Bearer {who}-token"
                answer = await ask(driver, said, path=path, authorization=token, **fields)
                return text(answer.json()) if answer.status == 200 else str(answer.status)

            assert await say("ada", "kitchen", "Tea?") == "Tea?"
            assert await say("bob", "kitchen", "Yes") == "Tea? | Yes"
            assert await say("ada", "attic", "Hello?") == "Hello?"
            assert await say("ada", "kitchen", "Sugar?") == "Tea? | Yes | Sugar?"
            assert await say("bob", "attic", "Let me in") == "404"
            assert await say("eve", "kitchen", "Let me in") == "404"
            assert await say("ada", "cellar", "Hello?") == "404"

    async def test_an_id_of_one_room_is_unknown_in_another(self, sample: Load) -> None:
        async with InMemoryDriver(sample("hooks/key_from_route.py").app) as driver:
            who = "Bearer ada-token"
            first = (await ask(driver, "Secret", path="/rooms/attic/responses", authorization=who)).json()
            path = "/rooms/kitchen/responses"
            answer = await ask(driver, "?", path=path, authorization=who, previous_response_id=first["id"])
            assert answer.status == 400

    async def test_the_official_path_works_below_a_room(self, sample: Load) -> None:
        async with InMemoryDriver(sample("hooks/key_from_route.py").app) as driver:
            path, who = "/rooms/kitchen/v1/responses", "Bearer ada-token"
            assert (await ask(driver, "Tea?", path=path, authorization=who)).status == 200


class TestKeyFromEnvironment:
    async def test_all_that_comes_is_one_conversation(self, sample: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AGENT_USER_ID", "ada")
        serving = sample("hooks/key_from_environment.py")
        async with InMemoryDriver(serving.host.app) as driver:
            await ask(driver, "I am Ada")
            assert text((await ask(driver, "Who am I?")).json()) == "I am Ada | Who am I?"
        assert serving.agent.runs[0].session_id == "user:ada"

    def test_without_a_user_it_does_not_start(self, sample: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AGENT_USER_ID", raising=False)
        with pytest.raises(SystemExit, match="Set AGENT_USER_ID"):
            sample("hooks/key_from_environment.py")
