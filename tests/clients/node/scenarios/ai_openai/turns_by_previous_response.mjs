// The server keeps what was said; the client sends the id of the response before.
import assert from "node:assert/strict";
import { LOOP } from "../../clients/ai_openai.mjs";

export default async function ({ ways }) {
  for (const way of ways) {
    let previousResponseId;
    let answer;
    for (const prompt of ["My name is Ada.", "What is 6 * 7?", 'call f {"a": 1}', "What is my name?"]) {
      answer = await way({ prompt, providerOptions: { openai: { previousResponseId } }, ...LOOP });
      previousResponseId = answer.response.id;
    }
    assert.equal(answer.text, "Your name is Ada.");
  }
}
