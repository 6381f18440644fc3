// Plays the scenarios of a folder one by one: node run.mjs BASE_URL FOLDER [VARIANT].
// Says of each, in a line of JSON, "passed" once all of it has been awaited, or what went wrong.
import { readdir } from "node:fs/promises";
import { inspect } from "node:util";

const [baseURL, folder, variant] = process.argv.slice(2);
const { connect } = await import(`./clients/${folder}.mjs`);
for (const file of (await readdir(`scenarios/${folder}`)).sort()) {
  let outcome = "passed";
  try {
    const { default: play } = await import(`./scenarios/${folder}/${file}`);
    await play(connect(baseURL, variant));
  } catch (error) {
    outcome = inspect(error);
  }
  console.log(JSON.stringify({ scenario: file.replace(".mjs", ""), outcome }));
}
