// What was not stored cannot be continued.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { after, ask } from "../../clients/openai.mjs";

export default async function (client) {
  const first = await ask(client, "My name is Ada.", { store: false });
  await assert.rejects(ask(client, "What is my name?", after(first)), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.deepEqual([error.code, error.param], ["previous_response_not_found", "previous_response_id"]);
    return true;
  });
}
