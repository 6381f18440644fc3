// A conversation from its making to its end, with all that lies below it.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ask } from "../../clients/openai.mjs";

export default async function (client) {
  const conversation = await client.conversations.create({
    metadata: { topic: "tea" },
    items: [{ type: "message", role: "user", content: "say before" }],
  });
  assert.equal(conversation.object, "conversation");
  assert.deepEqual(await client.conversations.retrieve(conversation.id), conversation);
  const changed = await client.conversations.update(conversation.id, { metadata: { topic: "coffee" } });
  assert.deepEqual(changed.metadata, { topic: "coffee" });

  const made = await ask(client, "say hello", { conversation: conversation.id });
  assert.equal(made.conversation.id, conversation.id);
  const stream = client.responses.stream({ model: "demo", input: "say again", conversation: { id: conversation.id } });
  assert.equal((await stream.finalResponse()).output_text, "again");

  const added = await client.conversations.items.create(conversation.id, {
    items: [{ type: "message", role: "user", content: "say later" }],
  });
  const said = await Array.fromAsync(client.conversations.items.list(conversation.id, { limit: 2, order: "asc" }));
  const texts = said.map((item) => item.content[0].text);
  assert.deepEqual(texts, ["say before", "say hello", "hello", "say again", "again", "say later"]);

  const last = said.at(-1);
  assert.deepEqual(last, added.data[0]);
  const where = { conversation_id: conversation.id };
  assert.deepEqual(await client.conversations.items.retrieve(last.id, where), last);
  assert.equal((await client.conversations.items.delete(last.id, where)).id, conversation.id);
  await assert.rejects(client.conversations.items.retrieve(last.id, where), OpenAI.NotFoundError);
  await assert.rejects(client.conversations.items.delete(said[1].id, where), OpenAI.BadRequestError);

  assert.equal((await client.conversations.delete(conversation.id)).deleted, true);
  await assert.rejects(client.conversations.retrieve(conversation.id), OpenAI.NotFoundError);
  await assert.rejects(ask(client, "say more", { conversation: conversation.id }), OpenAI.BadRequestError);
}
