// Parallel calls of client tools, streamed: called, answered, and told.
import assert from "node:assert/strict";
import { F, G, after, answer, callsOf } from "../../clients/openai.mjs";

export default async function (client) {
  const tools = [F, G];
  const asking = client.responses.stream({ model: "demo", input: 'call f {"a": 1} and g {"b": [2]}', tools });
  const snapshots = new Map();
  asking.on("response.function_call_arguments.delta", (event) => snapshots.set(event.item_id, event.snapshot));
  const asked = await asking.finalResponse();
  const calls = callsOf(asked);
  assert.deepEqual(calls.map((call) => [call.name, call.arguments]), [["f", '{"a": 1}'], ["g", '{"b": [2]}']]);
  assert.deepEqual(Object.fromEntries(snapshots), Object.fromEntries(calls.map((call) => [call.id, call.arguments])));
  const input = calls.map((call) => answer(call, call.name.toUpperCase()));
  const telling = client.responses.stream({ model: "demo", input, tools, ...after(asked) });
  assert.equal((await telling.finalResponse()).output_text, "f answered: F\ng answered: G");
}
