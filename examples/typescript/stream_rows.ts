// Streams the rows of a training run, with nothing but stubs generated from proto/. Kill the
// server meanwhile and start it again: every row is there, once. In this folder:
//
//   npm ci && npm run build && npm start SERVER ROWS ROWS_PER_SECOND
import { credentials, Metadata, ServiceError, status } from "@grpc/grpc-js";
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { Batch, DeepPartial, IngestClient, Open, StreamRequest, StreamResponse, ValueType } from "./gen/waterflow/v1/ingest.js";
import { LastValuesRequest, LastValuesResponse, QueryClient } from "./gen/waterflow/v1/query.js";
import { CreateRunRequest, CreateRunResponse, TrackingClient } from "./gen/waterflow/v1/tracking.js";

const batchRows = 10, mostHeld = 8;
const held: Batch[] = []; // what was sent and may not be durable

/** The training: makes batches with a column for each metric, little-endian. */
async function* train(rows: number, perSecond: number) {
  for (let first = 0; first < rows; first += batchRows) {
    const count = Math.min(batchRows, rows - first);
    const [steps, times, loss, rate] = [0, 1, 2, 3].map(() => Buffer.alloc(8 * count));
    for (let row = 0, step = first; row < count; row++, step++) {
      await setTimeout(1000 / perSecond);
      steps.writeBigInt64LE(BigInt(step), 8 * row);
      times.writeBigInt64LE(BigInt(Date.now()) * 1_000_000n, 8 * row);
      loss.writeDoubleLE(2.5 / (1 + step / 100), 8 * row);
      rate.writeDoubleLE(1 / (1 + (step % 7)), 8 * row);
    }
    const columns = [loss, rate].map((values, metric) =>
      ({ metric, type: ValueType.VALUE_TYPE_FLOAT64, values }));
    yield Batch.fromPartial({ schemaId: 1, firstRow: BigInt(first), rows: count, steps, times, columns });
  }
}

/** One call: sends what is held, then new batches, until all rows are durable. */
async function stream(ingest: IngestClient, open: Open, batches: AsyncIterator<Batch>) {
  const call = ingest.stream(new Metadata({ waitForReady: true }));
  const send = (message: DeepPartial<StreamRequest>) => call.write(StreamRequest.fromPartial(message));
  send({ open });
  for await (const { opened, ack, rejected } of call as AsyncIterable<StreamResponse>) {
    if (rejected) throw new Error(rejected.message);
    for (const lane of opened?.lanes ?? ack?.lanes ?? []) {
      while (held.length > 0 && held[0].firstRow + BigInt(held[0].rows) <= lane.nextRow) held.shift();
      open.held = [lane];
    }
    if (opened) {
      console.log("stream is open, batches to send again:", held.length);
      send({ schema: { id: 1, metrics: [{ name: "train/loss" }, { name: "train/lr" }] } });
      for (const batch of held) send({ batch });
    }
    while (held.length < mostHeld) {
      const { value: batch, done } = await batches.next();
      if (done) break;
      held.push(batch);
      send({ batch });
    }
    if (held.length === 0) call.end(); // the same as Close
  }
}

/** A unary call as a promise. */
function ask<Answer>(call: (done: (error: ServiceError | null, answer: Answer) => void) => unknown) {
  return new Promise<Answer>((resolve, reject) =>
    call((error, answer) => (error ? reject(error) : resolve(answer))));
}

const [server, rows, perSecond] = process.argv.slice(2);
const tracking = new TrackingClient(server, credentials.createInsecure());
const created = await ask<CreateRunResponse>((done) => tracking.createRun(CreateRunRequest.create(), done));
const open = Open.fromPartial({ runId: created.run!.id, streamId: randomBytes(16) });
console.log("run", open.runId);
const ingest = new IngestClient(server, credentials.createInsecure());
const batches = train(Number(rows), Number(perSecond));
let error: ServiceError | void;
while (error = await stream(ingest, open, batches).catch((reason) => reason)) {
  if (error.code !== status.UNAVAILABLE) throw error;
  console.log("stream broke:", error.message);
}
const query = new QueryClient(server, credentials.createInsecure());
const question = LastValuesRequest.fromPartial({ runId: open.runId });
const answer = await ask<LastValuesResponse>((done) => query.lastValues(question, done));
for (const { metric, count, mean, step } of answer.values) {
  console.log(`${metric}: ${count} values, mean ${mean.toFixed(6)}, last step ${step}`);
}
for (const client of [tracking, ingest, query]) client.close();
