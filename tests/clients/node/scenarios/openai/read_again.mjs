// A response is read again: whole, its input page by page, its stream from any event on; and forgotten.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ask } from "../../clients/openai.mjs";

export default async function (client) {
  const stream = await ask(client, "count to 9", { stream: true });
  const events = await Array.fromAsync(stream);
  const { response } = events[0];
  const read = await client.responses.retrieve(response.id);
  assert.deepEqual(read.output, events.at(-1).response.output);

  for (const cut of [0, 3, events.length - 2, events.length - 1]) {
    const rest = await client.responses.retrieve(response.id, { stream: true, starting_after: cut });
    assert.deepEqual(await Array.fromAsync(rest), events.slice(cut + 1));
  }

  const input = [{ role: "user", content: "say one" }, { role: "user", content: "say two" }];
  const made = await ask(client, input);
  const items = await Array.fromAsync(client.responses.inputItems.list(made.id, { limit: 1, order: "asc" }));
  assert.deepEqual(items.map((item) => item.content[0].text), ["say one", "say two"]);
  assert.ok(items.every((item) => item.id));

  await assert.rejects(client.responses.cancel(made.id), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "response_not_cancellable");
    return true;
  });
  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), OpenAI.NotFoundError);
  await assert.rejects(ask(client, "say more", { previous_response_id: made.id }), OpenAI.BadRequestError);
}
