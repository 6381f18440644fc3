// An agent with an output type gets an object of that type.
import assert from "node:assert/strict";
import { z } from "zod";
import { WAYS } from "../../clients/agents.mjs";

export default async function ({ agent }) {
  const outputType = z.object({
    x: z.number(),
    name: z.string(),
    tags: z.array(z.enum(["a", "b"])).min(2),
    next: z.object({ deep: z.boolean() }).nullable(),
  });
  for (const run of WAYS) {
    const result = await run(agent({ outputType }), "Go to 3");
    assert.deepEqual(result.finalOutput, { x: 3, name: "Go to 3", tags: ["a", "a"], next: { deep: true } });
    const calculated = await run(agent({ outputType: z.object({ value: z.number() }) }), "What is 6 * 7?");
    assert.deepEqual(calculated.finalOutput, { value: 42 });
  }
}
