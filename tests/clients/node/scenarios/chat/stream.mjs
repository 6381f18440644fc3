// A stream by hand and by the helper, with usage; one that is left early.
import assert from "node:assert/strict";
import { ask, user } from "../../clients/chat.mjs";

export default async function (client) {
  const pieces = [];
  let usage;
  const more = { stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await ask(client, "count to 5", more)) {
    if (chunk.usage) usage = chunk.usage;
    if (chunk.choices[0]?.delta.content) pieces.push(chunk.choices[0].delta.content);
  }
  assert.deepEqual(pieces, ["1 ", "2 ", "3 ", "4 ", "5"]);
  assert.equal(usage.completion_tokens, 5);
  const stream = client.chat.completions.stream({ model: "demo", messages: [user("count to 5")] });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content, "1 2 3 4 5");
  const cut = client.chat.completions.stream({ model: "demo", messages: [user("count to 9")], max_tokens: 3 });
  assert.equal((await cut.finalChatCompletion()).choices[0].finish_reason, "length");
  for await (const chunk of await ask(client, "count to 500", { stream: true })) {
    if (chunk.choices[0].delta.content) break;
  }
}
