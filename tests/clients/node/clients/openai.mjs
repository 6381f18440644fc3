// What the scenarios share: two tools of the client's, and short ways to ask and to answer.
import OpenAI from "openai";

export const connect = (baseURL) => new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0 });

export const F = {
  type: "function",
  name: "f",
  description: "Something that only the client can do.",
  parameters: { type: "object", properties: { a: { type: "integer" } } },
  strict: false,
};
export const G = { type: "function", name: "g", parameters: null, strict: null };

export const ask = (client, input, more = {}) => client.responses.create({ model: "demo", input, ...more });

export const after = (response) => ({ previous_response_id: response.id });

export const callsOf = (response) => response.output.filter((item) => item.type === "function_call");

export const answer = (call, output) => ({ type: "function_call_output", call_id: call.call_id, output });
