// The agent asks for a tool of the client's, gets its output, and says so.
import assert from "node:assert/strict";
import { F, after, answer, ask, callsOf } from "../../clients/openai.mjs";

export default async function (client) {
  const asked = await ask(client, 'Please call f {"a": 1}.', { tools: [F] });
  const [call, ...others] = callsOf(asked);
  assert.deepEqual(others, []);
  assert.deepEqual([call.name, call.arguments, call.status], ["f", '{"a": 1}', "completed"]);
  const told = await ask(client, [answer(call, "blue")], { tools: [F], ...after(asked) });
  assert.equal(told.output_text, "f answered: blue");
}
