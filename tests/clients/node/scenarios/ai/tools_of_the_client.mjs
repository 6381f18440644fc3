// The tools that the demo calls run here, in the SDK's own loop; one can be insisted on.
import assert from "node:assert/strict";
import { LOOP, TOOLS, kinds } from "../../clients/ai.mjs";

export default async function ({ ways }) {
  for (const way of ways) {
    const looped = await way({ prompt: 'call f {"a": 1} and g {}', ...LOOP });
    assert.equal(looped.text, "f answered: F1\ng answered: G");
    assert.deepEqual(looped.steps.map(kinds), [["tool-call", "tool-call", "tool-result", "tool-result"], ["text"]]);
    assert.equal(looped.steps[0].finishReason, "tool-calls");
    const chosen = await way({ prompt: "Take 7.", tools: TOOLS, toolChoice: { type: "tool", toolName: "f" } });
    const [call] = chosen.content;
    assert.deepEqual([call.type, call.toolName, call.input], ["tool-call", "f", { a: 7 }]);
  }
}
