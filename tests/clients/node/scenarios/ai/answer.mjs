// An answer has text, usage, a reason for its end, and, when it comes whole, the server's id.
import assert from "node:assert/strict";

export default async function ({ generate, ways }) {
  for (const way of ways) {
    const { text, usage, finishReason } = await way({ prompt: "count to 5" });
    assert.deepEqual([text, usage.outputTokens, finishReason], ["1 2 3 4 5", 5, "stop"]);
  }
  const { response } = await generate({ prompt: "count to 5" });
  assert.match(response.id, /^resp_/);
}
