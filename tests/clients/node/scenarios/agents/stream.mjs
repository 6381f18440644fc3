// A streamed run tells the text piece by piece, and its items as they come.
import assert from "node:assert/strict";
import { run } from "@openai/agents";

export default async function ({ agent }) {
  const result = await run(agent(), "count to 5", { stream: true });
  const pieces = [];
  const items = [];
  for await (const event of result) {
    if (event.type === "raw_model_stream_event" && event.data.type === "output_text_delta") {
      pieces.push(event.data.delta);
    } else if (event.type === "run_item_stream_event") {
      items.push(event.name);
    }
  }
  await result.completed;
  assert.deepEqual(pieces, ["1 ", "2 ", "3 ", "4 ", "5"]);
  assert.deepEqual(items, ["message_output_created"]);
  assert.equal(result.finalOutput, "1 2 3 4 5");
}
