// The server keeps what was said; the client sends the id of the conversation.
import assert from "node:assert/strict";
import { LOOP } from "../../clients/ai_openai.mjs";

export default async function ({ ways, baseURL }) {
  for (const way of ways) {
    const made = await fetch(`${baseURL}/conversations`, { method: "POST" });
    const { id: conversation } = await made.json();
    let answer;
    for (const prompt of ["My name is Ada.", "What is 6 * 7?", "What is my name?"]) {
      answer = await way({ prompt, providerOptions: { openai: { conversation } }, ...LOOP });
    }
    assert.equal(answer.text, "Your name is Ada.");
  }
}
