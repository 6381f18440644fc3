// Two turns behind one response do not see each other.
import assert from "node:assert/strict";
import { after, ask } from "../../clients/openai.mjs";

export default async function (client) {
  const root = await ask(client, "My name is Ada.");
  const [left, right] = await Promise.all([
    ask(client, "My name is Grace.", after(root)),
    ask(client, "say right", after(root)),
  ]);
  const named = await Promise.all([left, right, root].map((parent) => ask(client, "What is my name?", after(parent))));
  assert.deepEqual(
    named.map((response) => response.output_text),
    ["Your name is Grace.", "Your name is Ada.", "Your name is Ada."],
  );
}
