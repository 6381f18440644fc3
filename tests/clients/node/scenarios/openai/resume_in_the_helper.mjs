// The stream() helper takes up a stream that was sent before, from its beginning and from behind an event.
import assert from "node:assert/strict";
import { ask } from "../../clients/openai.mjs";

export default async function (client) {
  const events = await Array.fromAsync(await ask(client, "count to 9", { stream: true }));
  const { id } = events[0].response;
  const whole = client.responses.stream({ response_id: id });
  assert.equal((await whole.finalResponse()).output_text, events.at(-1).response.output[0].content[0].text);
  const rest = client.responses.stream({ response_id: id, starting_after: 4 });
  const seen = await Array.fromAsync(rest);
  assert.deepEqual(seen.map((event) => event.sequence_number), events.slice(5).map((event) => event.sequence_number));
}
