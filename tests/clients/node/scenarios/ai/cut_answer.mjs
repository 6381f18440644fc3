// An answer that reached its limit says so.
import assert from "node:assert/strict";

export default async function ({ ways }) {
  for (const way of ways) {
    const { text, finishReason } = await way({ prompt: "count to 9", maxOutputTokens: 3 });
    assert.deepEqual([text.trim(), finishReason], ["1 2 3", "length"]);
  }
}
