// An answer that is parsed by the helper.
import assert from "node:assert/strict";
import { user } from "../../clients/chat.mjs";

export default async function (client) {
  const schema = { type: "object", properties: { x: { type: "integer" } }, required: ["x"] };
  const completion = await client.chat.completions.parse({
    model: "demo",
    messages: [user("Go to 3")],
    response_format: { type: "json_schema", json_schema: { name: "point", schema, strict: false } },
  });
  assert.deepEqual(JSON.parse(completion.choices[0].message.content), { x: 3 });
}
