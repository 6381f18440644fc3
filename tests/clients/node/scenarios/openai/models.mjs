// The agent is the one model, listed and by its name.
import assert from "node:assert/strict";
import OpenAI from "openai";

export default async function (client) {
  const [model, ...others] = await Array.fromAsync(client.models.list());
  assert.deepEqual(others, []);
  assert.equal(model.object, "model");
  assert.deepEqual(await client.models.retrieve(model.id), model);
  await assert.rejects(client.models.retrieve("gpt-5"), OpenAI.NotFoundError);
}
