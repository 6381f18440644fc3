// What the scenarios of Chat Completions share: two tools of the client's, and short ways to ask and to answer.
import OpenAI from "openai";

export const connect = (baseURL) => new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0 });

export const F = {
  type: "function",
  function: {
    name: "f",
    description: "Something that only the client can do.",
    parameters: { type: "object", properties: { a: { type: "integer" } } },
  },
};
export const G = { type: "function", function: { name: "g" } };

export const user = (content) => ({ role: "user", content });

export const ask = (client, content, more = {}) =>
  client.chat.completions.create({ model: "demo", messages: [user(content)], ...more });

export const answer = (call, content) => ({ role: "tool", tool_call_id: call.id, content });
