// The client sends all that was said and done, tools of both sides among it.
import assert from "node:assert/strict";
import { user } from "@openai/agents";
import { WAYS } from "../../clients/agents.mjs";

export default async function ({ agent }) {
  for (const run of WAYS) {
    let result = await run(agent(), "My name is Ada.");
    for (const asked of ["say on", "What is 6 * 7?", 'call f {"a": 1}', "What is my name?"]) {
      result = await run(agent(), [...result.history, user(asked)]);
    }
    assert.equal(result.finalOutput, "Your name is Ada.");
  }
}
