// What is refused is an APICallError with the server's words, which is not worth a second try.
import assert from "node:assert/strict";
import { APICallError } from "ai";

export default async function ({ generate, stream }) {
  const refused = (error) => {
    assert.ok(APICallError.isInstance(error), String(error));
    assert.deepEqual([error.statusCode, error.isRetryable], [400, false]);
    assert.match(error.message, /'temperature'/);
    return true;
  };
  await assert.rejects(generate({ prompt: "hello", temperature: 9 }), refused);
  const errors = [];
  for await (const part of stream({ prompt: "hello", temperature: 9 }).fullStream) {
    if (part.type === "error") {
      errors.push(part.error);
    }
  }
  assert.equal(errors.length, 1);
  refused(errors[0]);
}
