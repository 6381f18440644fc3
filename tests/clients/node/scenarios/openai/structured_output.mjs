// An answer is parsed by the schema that was asked for, in one piece and streamed.
import assert from "node:assert/strict";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

export default async function (client) {
  const format = zodTextFormat(z.object({ x: z.number(), name: z.string() }), "point");
  const asked = { model: "demo", input: "Go to 3", text: { format } };
  const whole = await client.responses.parse(asked);
  const streamed = await client.responses.stream(asked).finalResponse();
  for (const response of [whole, streamed]) {
    assert.deepEqual(response.output_parsed, { x: 3, name: "Go to 3" });
  }
}
