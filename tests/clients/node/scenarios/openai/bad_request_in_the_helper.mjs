// The stream() helper hands a refusal on as what it is.
import assert from "node:assert/strict";
import OpenAI from "openai";

export default async function (client) {
  const stream = client.responses.stream({ model: "demo", input: "hello", previous_response_id: "resp_unknown" });
  await assert.rejects(stream.finalResponse(), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "previous_response_not_found");
    return true;
  });
}
