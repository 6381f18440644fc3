// The provider shows a tool that the server's agent ran, as a call with its result.
import assert from "node:assert/strict";

export default async function ({ ways }) {
  for (const way of ways) {
    const { content } = await way({ prompt: "What is 6 * 7?" });
    const [call, result, text] = content;
    assert.deepEqual([call.type, call.toolName, call.providerExecuted], ["tool-call", "mcp.calculate", true]);
    assert.deepEqual([result.type, result.output.output], ["tool-result", "6 * 7 = 42"]);
    assert.equal(text.text, "calculate answered: 6 * 7 = 42");
  }
}
