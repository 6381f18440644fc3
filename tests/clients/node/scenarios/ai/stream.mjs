// A stream tells the text piece by piece.
import assert from "node:assert/strict";

export default async function ({ stream }) {
  const pieces = [];
  for await (const piece of stream({ prompt: "count to 5" }).textStream) {
    pieces.push(piece);
  }
  assert.deepEqual(pieces, ["1 ", "2 ", "3 ", "4 ", "5"]);
}
