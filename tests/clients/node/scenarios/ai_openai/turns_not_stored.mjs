// Nothing is stored; the client sends all of it, and no references.
import assert from "node:assert/strict";
import { LOOP, talk } from "../../clients/ai_openai.mjs";

export default async function ({ ways }) {
  const turns = ["My name is Ada.", "What is 6 * 7?", 'call f {"a": 1} and g {}', "What is my name?"];
  for (const way of ways) {
    const { text } = await talk(way, turns, { ...LOOP, providerOptions: { openai: { store: false } } });
    assert.equal(text, "Your name is Ada.");
  }
}
