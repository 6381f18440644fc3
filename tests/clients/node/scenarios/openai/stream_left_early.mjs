// A reader that leaves early does no harm: the parent can be continued at once.
import assert from "node:assert/strict";
import { after, ask } from "../../clients/openai.mjs";

export default async function (client) {
  const first = await ask(client, "My name is Ada.");
  for await (const event of await ask(client, "count to 1000", { stream: true, ...after(first) })) {
    if (event.type === "response.output_text.delta") {
      break;
    }
  }
  const next = await ask(client, "How many messages?", after(first));
  assert.equal(next.output_text, "With this one you have sent 2 messages.");
}
