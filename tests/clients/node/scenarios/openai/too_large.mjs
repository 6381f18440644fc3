// A body that is too large is told as such, not as a connection that broke.
import assert from "node:assert/strict";
import { ask } from "../../clients/openai.mjs";

export default async function (client) {
  for (let round = 0; round < 5; round += 1) {
    await assert.rejects(ask(client, "x".repeat(11e6)), (error) => {
      assert.deepEqual([error.status, error.code], [413, "request_too_large"]);
      return true;
    });
  }
}
