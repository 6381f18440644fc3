// Every kind of line break and script comes through a stream as it was said.
import assert from "node:assert/strict";

export default async function (client) {
  const said = 'a\nb\r\nc\u0085d\u2028e\u2029f \\ " déjà 日本語 \u{1f30d} שלום';
  const stream = client.responses.stream({ model: "demo", input: `say ${said}` });
  assert.equal((await stream.finalResponse()).output_text, said);
}
