// An answer that reached its limit is incomplete, in one piece and streamed.
import assert from "node:assert/strict";
import { ask } from "../../clients/openai.mjs";

export default async function (client) {
  const limited = { max_output_tokens: 3 };
  const whole = await ask(client, "count to 9", limited);
  const events = [];
  for await (const event of await ask(client, "count to 9", { ...limited, stream: true })) {
    events.push(event);
  }
  const last = events.at(-1);
  assert.equal(last.type, "response.incomplete");
  for (const response of [whole, last.response]) {
    assert.equal(response.status, "incomplete");
    assert.deepEqual(response.incomplete_details, { reason: "max_output_tokens" });
    assert.equal(response.output[0].content[0].text.trim(), "1 2 3");
  }
}
