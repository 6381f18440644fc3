// What only the provider @ai-sdk/openai can do.
export * from "./ai.mjs";
