// The server keeps what was said; the client sends the id of the conversation.
import assert from "node:assert/strict";
import { WAYS } from "../../clients/agents.mjs";

export default async function ({ agent, client }) {
  for (const run of WAYS) {
    const { id: conversationId } = await client.conversations.create();
    let result;
    for (const asked of ["My name is Ada.", "say on", 'call f {"a": 1} and g {}', "What is my name?"]) {
      result = await run(agent(), asked, { conversationId });
    }
    assert.equal(result.finalOutput, "Your name is Ada.");
  }
}
