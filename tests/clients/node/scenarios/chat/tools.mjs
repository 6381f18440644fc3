// Tools of the client's: by hand, whole and streamed, and by the helper that runs them.
import assert from "node:assert/strict";
import { F, G, answer, ask, user } from "../../clients/chat.mjs";

const asked = 'call f {"a": 1} and g {}';

export default async function (client) {
  const tools = [F, G];
  const whole = await ask(client, asked, { tools });
  const streamed = await client.chat.completions
    .stream({ model: "demo", messages: [user(asked)], tools })
    .finalChatCompletion();
  for (const completion of [whole, streamed]) {
    const { finish_reason, message } = completion.choices[0];
    assert.equal(finish_reason, "tool_calls");
    assert.deepEqual(message.tool_calls.map((call) => [call.function.name, call.function.arguments]), [
      ["f", '{"a": 1}'],
      ["g", "{}"],
    ]);
    const results = message.tool_calls.map((call) => answer(call, call.function.name.toUpperCase()));
    const messages = [user(asked), message, ...results];
    const told = await client.chat.completions.create({ model: "demo", messages, tools });
    assert.equal(told.choices[0].message.content, "f answered: F\ng answered: G");
  }
  const run = ({ a }) => `ran ${a}`;
  const runnable = { type: "function", function: { ...F.function, function: run, parse: JSON.parse } };
  for (const stream of [false, true]) {
    const runner = client.chat.completions.runTools({
      model: "demo",
      messages: [user('call f {"a": 1}')],
      tools: [runnable],
      stream,
    });
    assert.equal(await runner.finalContent(), "f answered: ran 1");
  }
  const own = await ask(client, "What is 6 * 7?");
  assert.equal(own.choices[0].message.content, "calculate answered: 6 * 7 = 42");
  assert.equal(own.choices[0].message.tool_calls, undefined);
}
