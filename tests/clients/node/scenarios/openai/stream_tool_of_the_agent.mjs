// A tool that the agent runs itself passes the strict helper as mcp_call.
import assert from "node:assert/strict";
import { after, ask } from "../../clients/openai.mjs";

export default async function (client) {
  const stream = client.responses.stream({ model: "demo", input: "What is 6 * 7?" });
  const kinds = [];
  for await (const event of stream) {
    kinds.push(event.type);
  }
  const final = await stream.finalResponse();
  assert.ok(kinds.includes("response.mcp_call.in_progress"));
  assert.ok(kinds.includes("response.mcp_call_arguments.done"));
  assert.ok(kinds.includes("response.mcp_call.completed"));
  assert.deepEqual(final.output.map((item) => item.type), ["mcp_call", "message"]);
  assert.equal(final.output[0].output, "6 * 7 = 42");
  assert.equal(final.output_text, "calculate answered: 6 * 7 = 42");
  assert.equal((await ask(client, "say on", after(final))).output_text, "on");
}
