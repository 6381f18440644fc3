// Images and files reach the agent.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { ask } from "../../clients/openai.mjs";

const URL = `data:image/png;base64,${(await readFile("../dot.png")).toString("base64")}`;
const PARTS = [
  [{ type: "input_image", image_url: URL }, "an image (image/png, 70 bytes)"],
  [
    { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0xLjc=" },
    'a file named "a.pdf" (application/pdf, 8 bytes)',
  ],
];

export default async function (client) {
  for (const [part, named] of PARTS) {
    const told = await ask(client, [{ role: "user", content: [{ type: "input_text", text: "What is this?" }, part] }]);
    assert.ok(told.output_text.startsWith(`You sent ${named}.`), told.output_text);
  }
}
