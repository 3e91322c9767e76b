# Streams the rows of a training run, with nothing but stubs generated from proto/. Kill the
# server meanwhile and start it again: every row is there, once. After scripts/setup --python:
#
#   build/python/bin/python examples/python/stream_rows.py SERVER ROWS ROWS_PER_SECOND
import os
import queue
import struct
import sys
import time

import grpc
from waterflow.v1 import ingest_pb2, ingest_pb2_grpc, query_pb2, query_pb2_grpc
from waterflow.v1 import tracking_pb2, tracking_pb2_grpc

BATCH_ROWS, MOST_HELD = 10, 8


def train(rows, rows_per_second):
    """The training: yields batches with a column for each metric, little-endian."""
    for first in range(0, rows, BATCH_ROWS):
        steps = range(first, min(first + BATCH_ROWS, rows))
        time.sleep(len(steps) / rows_per_second)
        columns = [[2.5 / (1 + s / 100) for s in steps], [1 / (1 + s % 7) for s in steps]]
        yield ingest_pb2.Batch(
            schema_id=1, first_row=first, rows=len(steps),
            steps=struct.pack(f"<{len(steps)}q", *steps),
            times=struct.pack("<q", time.time_ns()) * len(steps),
            columns=[{"metric": metric, "type": "VALUE_TYPE_FLOAT64",
                      "values": struct.pack(f"<{len(values)}d", *values)}
                     for metric, values in enumerate(columns)])


def stream(ingest, who, batches, held):
    """One call: sends what is held, then new batches, until all rows are durable."""
    requests = queue.SimpleQueue()

    def send(**message):
        requests.put(ingest_pb2.StreamRequest(**message))

    responses = ingest.Stream(iter(requests.get, None), wait_for_ready=True)
    responses.add_callback(lambda: requests.put(None))
    send(open=who)
    for response in responses:
        if response.HasField("rejected"):
            raise ValueError(response.rejected.message)
        for lane in [*response.opened.lanes, *response.ack.lanes]:
            while held and held[0].first_row + held[0].rows <= lane.next_row:
                del held[0]
            del who.held[:]
            who.held.append(lane)
        if response.HasField("opened"):
            print("stream is open, batches to send again:", len(held), flush=True)
            send(schema={"id": 1, "metrics": [{"name": "train/loss"}, {"name": "train/lr"}]})
            for batch in held:
                send(batch=batch)
        while len(held) < MOST_HELD and (batch := next(batches, None)):
            held.append(batch)
            send(batch=batch)
        if not held:
            send(close=ingest_pb2.Close())


server, rows, rows_per_second = sys.argv[1:]
channel = grpc.insecure_channel(server)
run = tracking_pb2_grpc.TrackingStub(channel).CreateRun(tracking_pb2.CreateRunRequest()).run
print("run", run.id, flush=True)
who = ingest_pb2.Open(run_id=run.id, stream_id=os.urandom(16))
batches, held = train(int(rows), int(rows_per_second)), []
while True:
    try:
        stream(ingest_pb2_grpc.IngestStub(channel), who, batches, held)
        break
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        print("stream broke:", error.details(), flush=True)
query = query_pb2_grpc.QueryStub(channel)
for last in query.LastValues(query_pb2.LastValuesRequest(run_id=run.id)).values:
    print(f"{last.metric}: {last.count} values, mean {last.mean:.6f}, last step {last.step}")
