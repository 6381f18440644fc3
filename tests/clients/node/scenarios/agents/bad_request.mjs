// What is refused ends the run with the server's own words.
import assert from "node:assert/strict";
import { WAYS } from "../../clients/agents.mjs";

export default async function ({ agent }) {
  for (const run of WAYS) {
    await assert.rejects(run(agent(), "hello", { previousResponseId: "resp_unknown" }), (error) => {
      assert.deepEqual([error.status, error.code], [400, "previous_response_not_found"]);
      return true;
    });
  }
}
