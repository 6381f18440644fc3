// The server keeps what was said; the client sends the id of the response before.
import assert from "node:assert/strict";
import { WAYS } from "../../clients/agents.mjs";

export default async function ({ agent }) {
  for (const run of WAYS) {
    let result = await run(agent(), "My name is Ada.");
    for (const asked of ["say on", "What is 6 * 7?", 'call f {"a": 1} and g {}', "What is my name?"]) {
      result = await run(agent(), asked, { previousResponseId: result.lastResponseId });
    }
    assert.equal(result.finalOutput, "Your name is Ada.");
  }
}
