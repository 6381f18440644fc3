// A tool that the server's agent runs stands in nobody's way, with tools of the client's and without.
import assert from "node:assert/strict";
import { LOOP } from "../../clients/ai.mjs";

export default async function ({ ways }) {
  for (const way of ways) {
    for (const options of [{}, LOOP]) {
      const { text, steps, finishReason } = await way({ prompt: "What is 6 * 7?", ...options });
      assert.equal(text, "calculate answered: 6 * 7 = 42");
      assert.deepEqual([steps.length, finishReason], [1, "stop"]);
    }
  }
}
