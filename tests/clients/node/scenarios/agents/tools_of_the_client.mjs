// The functions that the demo calls run here, side by side or one at a time, stored or not.
import assert from "node:assert/strict";
import { WAYS, kinds } from "../../clients/agents.mjs";

export default async function ({ agent, given }) {
  for (const run of WAYS) {
    for (const store of [true, false]) {
      const result = await run(agent({ modelSettings: { store } }), 'call f {"a": 1} and g {} and f {"a": 2}');
      assert.equal(result.finalOutput, "f answered: F1\ng answered: G\nf answered: F2");
      assert.deepEqual(given.splice(0).sort(), ["f 1", "f 2", "g"]);
      assert.deepEqual(kinds(result).sort(), [
        "message_output_item",
        ...Array(3).fill("tool_call_item"),
        ...Array(3).fill("tool_call_output_item"),
      ]);
    }
    const single = await run(agent({ modelSettings: { parallelToolCalls: false } }), 'call f {"a": 1} and g {}');
    assert.equal(single.finalOutput, "f answered: F1\ng answered: G");
    assert.deepEqual(given.splice(0), ["f 1", "g"]);
    assert.equal(single.rawResponses.length, 3);
  }
}
