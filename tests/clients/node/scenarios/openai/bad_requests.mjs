// Bad requests are BadRequestErrors with code, place and request id, whether or not a stream was wanted.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { F } from "../../clients/openai.mjs";

const OUTPUT = { type: "function_call_output", call_id: "c1", output: "x" };
const BAD = [
  [{ previous_response_id: "resp_unknown" }, "previous_response_not_found", "previous_response_id"],
  [{ temperature: "hot" }, "invalid_type", "temperature"],
  [{ tools: {} }, "invalid_type", "tools"],
  [{ store: "no" }, "invalid_type", "store"],
  [{ metadata: [] }, "invalid_type", "metadata"],
  [{ temperature: 3 }, "invalid_value", "temperature"],
  [{ colour: "red" }, "unknown_parameter", "colour"],
  [{ tools: [{ type: "web_search" }] }, "unsupported_parameter", "tools[0].type"],
  [{ tools: [{ ...F, name: "calculate" }] }, "invalid_value", "tools[0].name"],
  [{ tools: [F, F] }, "invalid_value", "tools[1].name"],
  [{ input: "" }, "missing_required_parameter", "input"],
  [{ input: [{ role: "king", content: "hello" }] }, "invalid_value", "input[0].role"],
  [{ input: [OUTPUT] }, "invalid_value", "input[0]"],
  [{ conversation: "conv_1" }, "conversation_not_found", "conversation"],
  [{ background: true, store: false }, "invalid_value", "store"],
  [{ prompt: { id: "pmpt_1" } }, "unsupported_parameter", "prompt"],
];

export default async function (client) {
  for (const [body, code, param] of BAD) {
    for (const stream of [false, true]) {
      await assert.rejects(client.responses.create({ model: "demo", input: "hello", stream, ...body }), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError, `${JSON.stringify(body)}: ${error}`);
        assert.deepEqual(
          [error.status, error.type, error.code, error.param],
          [400, "invalid_request_error", code, param],
        );
        assert.match(error.requestID, /^req_/);
        return true;
      });
    }
  }
}
