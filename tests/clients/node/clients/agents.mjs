// An agent of the Agents SDK whose model is the demo, with two function tools that remember what they were given.
import { readFile } from "node:fs/promises";
import { Agent, OpenAIResponsesModel, run, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

export const connect = (baseURL) => {
  setTracingDisabled(true);
  const client = new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0 });
  const model = new OpenAIResponsesModel(client, "demo");
  const given = [];
  const f = tool({
    name: "f",
    description: "Do f.",
    parameters: z.object({ a: z.number() }),
    execute: ({ a }) => {
      given.push(`f ${a}`);
      return `F${a}`;
    },
  });
  const g = tool({
    name: "g",
    description: "Do g.",
    parameters: z.object({}),
    execute: () => {
      given.push("g");
      return "G";
    },
  });
  const agent = (more = {}) => new Agent({ name: "desk", instructions: "Be kind.", model, tools: [f, g], ...more });
  return { agent, given, client };
};

// Both ways to run an agent: what comes of them has to be the same.
export const WAYS = [
  (agent, input, more = {}) => run(agent, input, more),
  async (agent, input, more = {}) => {
    const result = await run(agent, input, { ...more, stream: true });
    await result.completed;
    return result;
  },
];

export const kinds = (result) => result.newItems.map((item) => item.type);

export const dataURL = async (file, mediaType) =>
  `data:${mediaType};base64,${(await readFile(file)).toString("base64")}`;
