// The strict stream() helper gathers text; its events are numbered and say the same as its end.
import assert from "node:assert/strict";

export default async function (client) {
  const stream = client.responses.stream({ model: "demo", input: "count to 50" });
  const heard = [];
  stream.on("response.output_text.delta", (event) => heard.push(event));
  const events = [];
  for await (const event of stream) {
    events.push(event);
  }
  const final = await stream.finalResponse();
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
  assert.equal(heard.length, 50);
  assert.equal(heard.map((event) => event.delta).join(""), final.output_text);
  assert.equal(heard.at(-1).snapshot, final.output_text);
  assert.equal(final.output_text.split(" ").at(-1), "50");
  assert.equal(final.usage.output_tokens, 50);
}
