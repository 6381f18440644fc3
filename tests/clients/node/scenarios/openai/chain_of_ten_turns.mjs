// The tenth turn remembers the first, with streamed and whole turns in turn.
import assert from "node:assert/strict";
import { after, ask } from "../../clients/openai.mjs";

export default async function (client) {
  let response = await ask(client, "My name is Ada.");
  for (let turn = 2; turn < 10; turn += 1) {
    const params = { model: "demo", input: `say ${turn}`, ...after(response) };
    response = turn % 2 ? await client.responses.create(params) : await client.responses.stream(params).finalResponse();
    assert.equal(response.output_text, String(turn));
  }
  const tenth = await ask(client, "What is my name?", after(response));
  assert.equal(tenth.output_text, "Your name is Ada.");
  assert.equal(tenth.previous_response_id, response.id);
  const eleventh = await ask(client, "How many messages?", after(tenth));
  assert.equal(eleventh.output_text, "With this one you have sent 11 messages.");
}
