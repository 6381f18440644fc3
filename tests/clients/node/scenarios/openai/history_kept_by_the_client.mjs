// All that was sent is taken back as input: messages, calls, outputs, and tools that the agent ran.
import assert from "node:assert/strict";
import { F, G, answer, ask, callsOf } from "../../clients/openai.mjs";

export default async function (client) {
  const history = [];
  const send = async (...items) => {
    history.push(...items);
    const response = await ask(client, history, { tools: [F, G], store: false });
    history.push(...response.output);
    return response;
  };
  const user = (content) => ({ role: "user", content });
  await send(user("My name is Ada."));
  const asked = await send(user('call f {"a": 1} and g {}'));
  const told = await send(...callsOf(asked).map((call) => answer(call, call.name.toUpperCase())));
  assert.equal(told.output_text, "f answered: F\ng answered: G");
  const calculated = await send(user("What is 2 + 3?"));
  assert.deepEqual(calculated.output.map((item) => item.type), ["mcp_call", "message"]);
  assert.equal((await send(user("What is my name?"))).output_text, "Your name is Ada.");
}
