// The AI SDK with the demo as its model, through either provider, and two tools of the client's.
import { readFile } from "node:fs/promises";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenResponses } from "@ai-sdk/open-responses";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;

const MODELS = {
  openai: (baseURL) => createOpenAI({ baseURL, apiKey: "unused" })("demo"),
  "open-responses": (baseURL) => createOpenResponses({ name: "host", url: `${baseURL}/responses` })("demo"),
};

// Generates and streams alike; what fails is not sent again.
export const connect = (baseURL, variant) => {
  const settings = { model: MODELS[variant](baseURL), maxRetries: 0 };
  const generate = (options) => generateText({ ...settings, ...options });
  const stream = (options) => streamText({ ...settings, onError: () => {}, ...options });
  const gathered = async (options) => {
    const result = stream(options);
    const keys = ["text", "content", "steps", "usage", "finishReason", "response", "providerMetadata"];
    const values = await Promise.all(keys.map((key) => result[key]));
    const output = options.output && { output: await result.output };
    return { ...Object.fromEntries(keys.map((key, index) => [key, values[index]])), ...output };
  };
  return { generate, stream, ways: [generate, gathered], baseURL };
};

export const TOOLS = {
  f: tool({ description: "Do f.", inputSchema: z.object({ a: z.number() }), execute: ({ a }) => `F${a}` }),
  g: tool({ description: "Do g.", inputSchema: z.object({}), execute: () => "G" }),
};
export const LOOP = { tools: TOOLS, stopWhen: stepCountIs(5) };

// Sends all that was said before with every turn, as the SDK's chats do; returns the last answer.
export const talk = async (way, turns, options = {}) => {
  const messages = [];
  let answer;
  for (const content of turns) {
    messages.push({ role: "user", content });
    answer = await way({ messages, ...options });
    messages.push(...answer.response.messages);
  }
  return answer;
};

export const kinds = (step) => step.content.map((part) => part.type);

export const dot = () => readFile("../dot.png");
