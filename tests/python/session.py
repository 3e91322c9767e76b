"""The smallest complete writer over Ingest.Stream, from generated stubs alone.

One Session is one call. A worker that lost its connection makes a new Session
with the same stream id, looks at `next_row`, and sends again what lies from
there on. docs/protocol.md explains each step.
"""

import queue
import struct

import grpc
from waterflow.v1 import ingest_pb2 as ingest
from waterflow.v1 import ingest_pb2_grpc, metric_pb2

FLOAT64 = ingest.VALUE_TYPE_FLOAT64
FLOAT32 = ingest.VALUE_TYPE_FLOAT32
INT64 = ingest.VALUE_TYPE_INT64

_LETTER = {FLOAT64: "d", FLOAT32: "f", INT64: "q"}


def pack(letter, values):
    """Little-endian bytes of numbers, as all columns want them."""
    return struct.pack(f"<{len(values)}{letter}", *values)


def dense(metric, kind, values, span=1):
    """A column with a value in every row; `span` neighbours one after the other."""
    return ingest.Column(metric=metric, span=span, type=kind,
                         values=values if isinstance(values, bytes) else pack(_LETTER[kind], values))


def sparse(metric, kind, values_or_none):
    """A column with values in some rows: None where a row has none."""
    bitmap = bytearray((len(values_or_none) + 7) // 8)
    for row, value in enumerate(values_or_none):
        if value is not None:
            bitmap[row // 8] |= 1 << (row % 8)
    there = [value for value in values_or_none if value is not None]
    return ingest.Column(metric=metric, type=kind, values=pack(_LETTER[kind], there),
                         present=bytes(bitmap))


class Session:
    """Use as a context manager: leaving it closes the stream and awaits its end."""

    def __init__(self, channel, run_id, stream_id, role="", rank=0, attempt=1, held=()):
        self._requests = queue.SimpleQueue()
        self._responses = ingest_pb2_grpc.IngestStub(channel).Stream(
            iter(self._requests.get, None), timeout=120)
        self.rejected = []
        self.token = b""
        self.send(open=ingest.Open(
            run_id=run_id, stream_id=stream_id, attempt=attempt,
            worker=metric_pb2.Worker(role=role, rank=rank),
            held=[ingest.Lane(schema_id=schema, next_row=row) for schema, row in held]))
        self.opened = next(self._responses).opened
        # What is durable: for each schema, all rows below this one.
        self.next_row = {lane.schema_id: lane.next_row for lane in self.opened.lanes}

    def send(self, **message):
        self._requests.put(ingest.StreamRequest(**message))

    def declare(self, schema_id, *names):
        self.send(schema=ingest.Schema(
            id=schema_id, metrics=[metric_pb2.Metric(name=name) for name in names]))

    def batch(self, schema_id, first_row, columns, steps=(), times=(), rows=None):
        self.send(batch=ingest.Batch(
            schema_id=schema_id, first_row=first_row,
            rows=rows if rows is not None else len(steps) or len(times),
            steps=pack("q", steps), times=pack("q", times), columns=columns))

    def receive(self):
        """Takes in the server's next message."""
        self._take(next(self._responses))

    def wait_durable(self, schema_id, row):
        """Returns when all rows below `row` are acked."""
        while self.next_row.get(schema_id, 0) < row:
            self.receive()

    def _take(self, response):
        if response.HasField("ack"):
            self.token = response.ack.token
            for lane in response.ack.lanes:
                self.next_row[lane.schema_id] = lane.next_row
        elif response.HasField("rejected"):
            self.rejected.append(response.rejected)

    def close(self):
        self.send(close=ingest.Close())
        self._requests.put(None)
        for response in self._responses:
            self._take(response)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self._requests.put(None)
            self._responses.cancel()


def ended(session):
    """Waits for a session that somebody else ends; returns the gRPC status code."""
    try:
        while True:
            session.receive()
    except StopIteration:
        return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()
