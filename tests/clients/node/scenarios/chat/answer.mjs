// An answer, a conversation that the client keeps, and the list of models.
import assert from "node:assert/strict";
import { ask, user } from "../../clients/chat.mjs";

export default async function (client) {
  const messages = [user("My name is Ada.")];
  const first = await client.chat.completions.create({ model: "demo", messages });
  assert.equal(first.object, "chat.completion");
  assert.equal(first.choices[0].finish_reason, "stop");
  messages.push(first.choices[0].message, user("What is my name?"));
  const second = await client.chat.completions.create({ model: "demo", messages });
  assert.equal(second.choices[0].message.content, "Your name is Ada.");
  assert.equal((await ask(client, "What is my name?")).choices[0].message.content.includes("Ada"), false);
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  assert.deepEqual(models, ["demo"]);
  assert.equal((await client.models.retrieve("demo")).id, "demo");
}
