// Pictures in the request reach the agent.
import assert from "node:assert/strict";
import { ask } from "../../clients/chat.mjs";

export default async function (client) {
  const url = "https://example.com/a.png";
  const told = await ask(client, [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url, detail: "low" } },
  ]);
  assert.ok(told.choices[0].message.content.startsWith(`You sent an image at ${url} (image/png).`));
}
