// The WebSocket of the official client: a chain of which nothing is stored, a refusal, and the end.
import assert from "node:assert/strict";
import { ResponsesWS } from "openai/resources/responses/ws";

const LAST = ["response.completed", "response.failed", "response.incomplete", "error"];

export default async function (client) {
  const socket = new ResponsesWS(client);
  const answer = async (fields) => {
    const events = [];
    const over = new Promise((resolve, reject) => {
      const take = (event) => {
        events.push(event);
        if (LAST.includes(event.type)) {
          socket.off("event", take);
          resolve();
        }
      };
      socket.on("event", take);
      socket.once("close", () => reject(new Error("closed")));
    });
    socket.send({ type: "response.create", model: "demo", store: false, ...fields });
    await over;
    return events;
  };
  const errors = [];
  socket.on("error", (error) => errors.push(error));

  const first = await answer({ input: "My name is Ada." });
  assert.equal(first[0].type, "response.created");
  assert.deepEqual(
    first.map((event) => event.sequence_number),
    first.map((_, index) => index),
  );
  const { id } = first.at(-1).response;
  const second = await answer({ input: "hello", previous_response_id: id });
  assert.equal(second.at(-1).type, "response.completed");
  assert.equal(second.at(-1).response.previous_response_id, id);

  const [refused] = await answer({ input: "hello", previous_response_id: "resp_unknown" });
  assert.equal(refused.type, "error");
  assert.equal(refused.status, 400);
  assert.equal(refused.error.code, "previous_response_not_found");
  assert.equal(errors.length, 1);
  await assert.rejects(client.responses.retrieve(id), { status: 404 });
  socket.close();
}
