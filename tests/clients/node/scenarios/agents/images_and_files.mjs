// Images and files reach the agent, alone and within a conversation.
import assert from "node:assert/strict";
import { user } from "@openai/agents";
import { WAYS, dataURL } from "../../clients/agents.mjs";

export default async function ({ agent }) {
  const image = { type: "input_image", image: await dataURL("../dot.png", "image/png") };
  const file = { type: "input_file", file: "data:application/pdf;base64,JVBERi0xLjc=", filename: "a.pdf" };
  for (const run of WAYS) {
    const seen = await run(agent(), [user([{ type: "input_text", text: "What is this?" }, image])]);
    assert.match(seen.finalOutput, /^You sent an image \(image\/png, 70 bytes\)\./);
    const read = await run(agent(), [...seen.history, user([file])]);
    assert.match(read.finalOutput, /^You sent a file named "a.pdf" \(application\/pdf, 8 bytes\)\./);
    const there = await run(agent(), [user([{ type: "input_image", image: "https://example.com/a.png" }])]);
    assert.match(there.finalOutput, /^You sent an image at https:\/\/example.com\/a.png/);
  }
}
