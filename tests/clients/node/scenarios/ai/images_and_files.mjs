// Images and files reach the agent, alone and within a conversation.
import assert from "node:assert/strict";
import { dot, talk } from "../../clients/ai.mjs";

export default async function ({ ways }) {
  const image = { type: "file", data: await dot(), mediaType: "image/png" };
  const there = { type: "file", data: new URL("https://example.com/a.png"), mediaType: "image/png" };
  const file = { type: "file", data: Buffer.from("%PDF-1.7"), mediaType: "application/pdf", filename: "a.pdf" };
  const what = { type: "text", text: "What is this?" };
  for (const way of ways) {
    const seen = await talk(way, [[what, image]]);
    assert.match(seen.text, /^You sent an image \(image\/png, 70 bytes\)\./);
    const both = await talk(way, [[what, image], [what, there, file]]);
    assert.match(both.text, /^You sent an image at https:\/\/example.com\/a.png/);
    assert.match(both.text, /and a file named "a.pdf" \(application\/pdf, 8 bytes\)\./);
  }
}
