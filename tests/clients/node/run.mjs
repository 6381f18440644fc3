// Runs one scenario: node run.mjs SCENARIO BASE_URL. Says "passed" once all of it has been awaited.
import OpenAI from "openai";

const [name, baseURL] = process.argv.slice(2);
const { default: scenario } = await import(`./scenarios/${name}.mjs`);
await scenario(new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0 }));
console.log("passed");
