// What is not there is a NotFoundError, another method is refused by name: both in the API's own shape.
import assert from "node:assert/strict";
import OpenAI from "openai";

export default async function (client) {
  const missing = [
    () => client.responses.retrieve("resp_1"),
    () => client.responses.cancel("resp_1"),
    () => client.responses.delete("resp_1"),
  ];
  for (const reach of missing) {
    await assert.rejects(reach, (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, "not_found");
      assert.match(error.requestID, /^req_/);
      return true;
    });
  }
  await assert.rejects(client.get("/responses"), (error) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.deepEqual([error.status, error.code], [405, "method_not_allowed"]);
    assert.equal(error.headers.get("allow"), "POST");
    return true;
  });
}
