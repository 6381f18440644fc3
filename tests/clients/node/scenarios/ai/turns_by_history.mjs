// The client sends all that was said and done, tools of both sides among it.
import assert from "node:assert/strict";
import { LOOP, talk } from "../../clients/ai.mjs";

export default async function ({ ways }) {
  const turns = ["My name is Ada.", "What is 6 * 7?", 'call f {"a": 1} and g {}', "What is my name?"];
  for (const way of ways) {
    const { text } = await talk(way, turns, LOOP);
    assert.equal(text, "Your name is Ada.");
    const counted = await talk(way, [...turns, "How many messages?"], LOOP);
    assert.equal(counted.text, "With this one you have sent 5 messages.");
  }
}
