// Refusals come as the client's own classes, whole and streamed.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ask } from "../../clients/chat.mjs";

export default async function (client) {
  for (const stream of [false, true]) {
    await assert.rejects(ask(client, "hi", { n: 2, stream }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.deepEqual([error.code, error.param], ["unsupported_parameter", "n"]);
      assert.ok(error.requestID);
      return true;
    });
  }
  await assert.rejects(client.models.retrieve("other"), OpenAI.NotFoundError);
}
