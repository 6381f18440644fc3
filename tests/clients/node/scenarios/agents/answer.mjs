// A run answers, and counts what it cost.
import assert from "node:assert/strict";
import { WAYS } from "../../clients/agents.mjs";

export default async function ({ agent }) {
  for (const run of WAYS) {
    const result = await run(agent(), "count to 5");
    assert.equal(result.finalOutput, "1 2 3 4 5");
    assert.match(result.lastResponseId, /^resp_/);
    assert.equal(result.runContext.usage.outputTokens, 5);
  }
}
