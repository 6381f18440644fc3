// Parallel calls have ids of their own and may be answered in any order.
import assert from "node:assert/strict";
import { F, G, after, answer, ask, callsOf } from "../../clients/openai.mjs";

export default async function (client) {
  const tools = [F, G];
  const asked = await ask(client, 'call f {"a": 1} and g {} and f {"a": 2}', { tools });
  const calls = callsOf(asked);
  assert.deepEqual(calls.map((call) => call.name), ["f", "g", "f"]);
  assert.equal(new Set(calls.map((call) => call.call_id)).size, 3);
  const outputs = calls.map((call, index) => answer(call, `answer ${index}`)).reverse();
  const told = await ask(client, outputs, { tools, ...after(asked) });
  assert.deepEqual(told.output_text.split("\n").sort(), [
    "f answered: answer 0",
    "f answered: answer 2",
    "g answered: answer 1",
  ]);
  const one = await ask(client, "call f {} and g {}", { tools, parallel_tool_calls: false });
  assert.equal(callsOf(one).length, 1);
}
