// An answer is an object, an array or a choice, as the SDK was asked for.
import assert from "node:assert/strict";
import { Output } from "ai";
import { z } from "zod";

export default async function ({ ways, stream }) {
  const schema = z.object({
    x: z.number(),
    name: z.string(),
    tags: z.array(z.enum(["a", "b"])).min(2),
    next: z.object({ deep: z.boolean() }).nullable(),
  });
  const filled = { x: 3, name: "Go to 3", tags: ["a", "a"], next: { deep: true } };
  for (const way of ways) {
    const { output } = await way({ prompt: "Go to 3", output: Output.object({ schema }) });
    assert.deepEqual(output, filled);
    const point = z.object({ x: z.number() });
    const list = await way({ prompt: "Go to 3", output: Output.array({ element: point }) });
    assert.deepEqual(list.output, [{ x: 3 }]);
    const choice = await way({ prompt: "Sun or rain?", output: Output.choice({ options: ["sun", "rain"] }) });
    assert.equal(choice.output, "sun");
  }
  const partial = [];
  for await (const output of stream({ prompt: "Go to 3", output: Output.object({ schema }) }).partialOutputStream) {
    partial.push(output);
  }
  assert.ok(partial.length > 2);
  assert.deepEqual(partial.at(-1), filled);
}
