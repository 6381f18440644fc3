// A response in the background: polled, followed live and again, cancelled when it is over, deleted.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ask } from "../../clients/openai.mjs";

export default async function (client) {
  const begun = await ask(client, "count to 9", { background: true });
  assert.deepEqual([begun.status, begun.background], ["queued", true]);
  const followed = client.responses.stream({ response_id: begun.id });
  const text = (await followed.finalResponse()).output_text;
  let polled;
  do polled = await client.responses.retrieve(begun.id);
  while (["queued", "in_progress"].includes(polled.status));
  assert.deepEqual([polled.status, polled.output_text], ["completed", text]);
  const events = await Array.fromAsync(await ask(client, "count to 9", { background: true, stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
  assert.deepEqual(
    events.slice(0, 3).map((event) => event.type),
    ["response.created", "response.queued", "response.in_progress"],
  );
  const { id } = events[0].response;
  const rest = client.responses.stream({ response_id: id, starting_after: 4 });
  const seen = await Array.fromAsync(rest);
  assert.deepEqual(seen.map((event) => event.sequence_number), [...events.keys()].slice(5));
  assert.equal((await client.responses.cancel(id)).status, "completed");
  await client.responses.delete(id);
  await assert.rejects(client.responses.retrieve(id), OpenAI.NotFoundError);
}
