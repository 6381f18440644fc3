// An answer in one piece: text, status, usage, request id, and what was asked for.
import assert from "node:assert/strict";
import { ask } from "../../clients/openai.mjs";

export default async function (client) {
  const { data: response, request_id: requestId } = await ask(client, "count to 7", {
    metadata: { k: "v" },
    temperature: 0.25,
  }).withResponse();
  assert.equal(response.output_text, "1 2 3 4 5 6 7");
  assert.equal(response.object, "response");
  assert.equal(response.status, "completed");
  assert.match(response.id, /^resp_/);
  assert.match(requestId, /^req_/);
  assert.deepEqual(response.metadata, { k: "v" });
  assert.equal(response.temperature, 0.25);
  assert.equal(response.usage.output_tokens, 7);
  assert.equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens);
}
