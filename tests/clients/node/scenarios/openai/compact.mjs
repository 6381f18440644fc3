// A conversation goes on from what was packed, and its tokens are counted.
import assert from "node:assert/strict";
import { after, ask } from "../../clients/openai.mjs";

export default async function (client) {
  const first = await ask(client, "say hello");
  const second = await ask(client, "say again", after(first));
  const compacted = await client.responses.compact({ model: "demo", previous_response_id: second.id });
  assert.equal(compacted.object, "response.compaction");
  assert.deepEqual(compacted.output.map((item) => item.type), ["compaction"]);
  const third = await ask(client, [...compacted.output, { role: "user", content: "say more" }]);
  assert.equal(third.output_text, "more");
  const counted = await client.responses.inputTokens.count({ model: "demo", input: "hello", previous_response_id: second.id });
  assert.equal(counted.object, "response.input_tokens");
  const short = await client.responses.inputTokens.count({ model: "demo", input: "hello" });
  assert.ok(counted.input_tokens > short.input_tokens);
}
