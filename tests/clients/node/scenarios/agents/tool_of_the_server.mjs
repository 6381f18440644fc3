// A tool that the server's agent runs is shown as a hosted one; nobody is asked to run it again.
import assert from "node:assert/strict";
import { WAYS, kinds } from "../../clients/agents.mjs";

export default async function ({ agent, given }) {
  for (const run of WAYS) {
    const result = await run(agent(), "What is 6 * 7?");
    assert.equal(result.finalOutput, "calculate answered: 6 * 7 = 42");
    assert.deepEqual(kinds(result), ["tool_call_item", "message_output_item"]);
    const [{ rawItem: call }] = result.newItems;
    assert.deepEqual([call.type, call.name, call.output], ["hosted_tool_call", "mcp_call", "6 * 7 = 42"]);
    assert.deepEqual(given, []);
  }
}
