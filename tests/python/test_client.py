"""What a client in another language may rely on, tried with Python stubs that
grpcio-tools generates from proto/."""

import os
import random
import struct
import unittest

import grpc
from server import Server
from session import FLOAT32, FLOAT64, INT64, Session, dense, ended, sparse
from waterflow.v1 import (admin_pb2, admin_pb2_grpc, ingest_pb2, ingest_pb2_grpc, query_pb2,
                          query_pb2_grpc, tracking_pb2, tracking_pb2_grpc)

# Bit patterns of float64 that careless code changes: NaN of both signs, with a
# payload and signalling; infinities; -0.0; the smallest and largest there are.
ODD_FLOAT64 = [0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8DEADBEEF0001, 0x7FF0000000000001,
               0x7FF0000000000000, 0xFFF0000000000000, 0x8000000000000000, 0x0000000000000001,
               0x000FFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF, 0x3FB999999999999A]
ODD_FLOAT32 = [0x7FC00000, 0xFFC00000, 0x7FC0BEEF, 0x7F800001, 0x7F800000, 0xFF800000,
               0x80000000, 0x00000001, 0x007FFFFF, 0x7F7FFFFF, 0x3DCCCCCD]


def widened(bits):
    """The float64 bits of float32 bits, NaN payloads kept."""
    sign, exponent, mantissa = bits >> 31, bits >> 23 & 0xFF, bits & 0x7FFFFF
    if exponent == 0xFF:
        return sign << 63 | 0x7FF << 52 | mantissa << 29
    return bits_of(struct.unpack("<f", struct.pack("<I", bits))[0])


def bits_of(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


class ClientTest(unittest.TestCase):

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)

    def create_run(self, **fields):
        request = tracking_pb2.CreateRunRequest(project="python", **fields)
        return tracking_pb2_grpc.TrackingStub(self.server.channel).CreateRun(request).run.id

    def read(self, run_id, metric, **fields):
        """(steps, times, bits of the values, summary) of one metric's raw points."""
        steps, times, values, summary = [], [], [], None
        request = query_pb2.ReadRequest(run_ids=[run_id], metrics=[metric],
                                        axis=query_pb2.AXIS_TIME, **fields)
        for answer in query_pb2_grpc.QueryStub(self.server.channel).Read(request, timeout=60):
            for part in answer.parts:
                steps += part.steps
                times += part.times_ns
                values += map(bits_of, part.values)
            if answer.HasField("summary"):
                summary = answer.summary
        return steps, times, values, summary

    def flush(self):
        admin_pb2_grpc.AdminStub(self.server.channel).Flush(admin_pb2.FlushRequest(), timeout=60)

    def test_every_column_type_comes_back_bit_for_bit(self):
        rows = len(ODD_FLOAT64)
        steps = [-3, 0, 0, 2**62, *range(rows - 4)]
        times = [1_700_000_000_000_000_000 + row for row in range(rows)]
        integers = [0, -1, 2**53, -2**63, *range(rows - 4)]
        gaps = [None if row % 3 else row / 7 for row in range(rows)]
        run = self.create_run()
        with Session(self.server.channel, run, os.urandom(16), rank=3) as session:
            session.declare(7, "f64", "f32/a", "f32/b", "i64", "gaps", "never")
            session.batch(7, 0, steps=steps, times=times, columns=[
                dense(0, FLOAT64, struct.pack(f"<{rows}Q", *ODD_FLOAT64)),
                # Two neighbours in one column, the second one backwards.
                dense(1, FLOAT32, struct.pack(f"<{2 * rows}I", *ODD_FLOAT32, *ODD_FLOAT32[::-1]),
                      span=2),
                dense(3, INT64, integers),
                sparse(4, FLOAT64, gaps),
            ])
            session.wait_durable(7, rows)
        self.assertEqual(session.rejected, [])

        wide = [widened(bits) for bits in ODD_FLOAT32]
        expected = {"f64": ODD_FLOAT64, "f32/a": wide, "f32/b": wide[::-1],
                    "i64": [bits_of(float(value)) for value in integers]}
        for flushed in (False, True):  # from heads, then from blocks
            for metric, bits in expected.items():
                with self.subTest(metric=metric, flushed=flushed):
                    got = self.read(run, metric, at_least=session.token)
                    self.assertEqual(got[:2], (steps, times))
                    self.assertEqual([f"{b:016x}" for b in got[2]], [f"{b:016x}" for b in bits])
                    self.assertTrue(got[3].exact)
            there = [row for row in range(rows) if gaps[row] is not None]
            self.assertEqual(self.read(run, "gaps")[:3], (
                [steps[row] for row in there], [times[row] for row in there],
                [bits_of(gaps[row]) for row in there]))
            self.flush()

    def test_unary_write_comes_back_and_a_repeat_of_it_changes_nothing(self):
        run = self.create_run()
        ingest = ingest_pb2_grpc.IngestStub(self.server.channel)
        points = [ingest_pb2.Point(metric="loss", step=step, time_ns=1000 + step,
                                   value=struct.unpack("<d", struct.pack("<Q", bits))[0])
                  for step, bits in enumerate(ODD_FLOAT64)]
        request = ingest_pb2.WriteRequest(run_id=run, points=points, request_id="once")
        for _ in range(2):
            response = ingest.Write(request)
            self.assertEqual(response.points, len(points))
        steps, times, values, _ = self.read(run, "loss", at_least=response.token)
        self.assertEqual(steps, list(range(len(points))))
        self.assertEqual(times, [1000 + step for step in steps])
        self.assertEqual(values, ODD_FLOAT64)

    def test_rows_are_there_once_after_kill9_and_a_resend_in_other_batches(self):
        rows = 5000
        rng = random.Random(20260101)
        loss = [rng.gauss(2, 1) for _ in range(rows)]
        rate = [None if rng.random() < 0.4 else rng.random() for _ in range(rows)]
        times = [10**18 + row for row in range(rows)]
        run, stream = self.create_run(), os.urandom(16)

        def send(session, first, end, cut):
            for begin in range(first, end, cut):
                part = slice(begin, min(begin + cut, end))
                session.batch(1, begin, steps=range(rows)[part], times=times[part],
                              columns=[dense(0, FLOAT64, loss[part]), sparse(1, FLOAT64, rate[part])])

        first = Session(self.server.channel, run, stream)
        first.declare(1, "loss", "rate")
        send(first, 0, 1000, cut=7)
        first.wait_durable(1, 1000)
        send(first, 1000, 4000, cut=64)
        self.server.kill()
        self.assertEqual(ended(first), grpc.StatusCode.UNAVAILABLE)
        acked = first.next_row[1]
        self.assertGreaterEqual(acked, 1000)

        self.server.start()
        for cut in (113, 4096):  # the second time all of it is known already
            with Session(self.server.channel, run, stream, held=[(1, 0)]) as session:
                self.assertGreaterEqual(session.next_row[1], acked)
                session.declare(1, "loss", "rate")
                send(session, 0, rows, cut)
                session.wait_durable(1, rows)
            self.assertEqual(session.rejected, [])

            self.assertEqual(self.read(run, "loss")[:3],
                             (list(range(rows)), times, [bits_of(value) for value in loss]))
            there = [row for row in range(rows) if rate[row] is not None]
            self.assertEqual(self.read(run, "rate")[:3], (
                there, [times[row] for row in there], [bits_of(rate[row]) for row in there]))

    def test_rows_that_no_client_holds_any_more_are_named_as_lost(self):
        run = self.create_run()
        with Session(self.server.channel, run, os.urandom(16), held=[(1, 40)]) as session:
            session.declare(1, "loss")
            session.batch(1, 40, steps=[40, 41], columns=[dense(0, FLOAT64, [0.5, 0.25])])
            session.wait_durable(1, 42)
        steps, _, _, summary = self.read(run, "loss")
        self.assertEqual(steps, [40, 41])
        self.assertEqual([(lost.first_row, lost.end_row) for lost in summary.lost], [(0, 40)])

    def test_a_bad_batch_is_rejected_and_the_stream_goes_on(self):
        run = self.create_run()
        with Session(self.server.channel, run, os.urandom(16)) as session:
            session.declare(1, "loss")
            session.batch(1, 0, steps=[0, 1], columns=[dense(0, FLOAT64, [1.0])])
            session.batch(1, 2, steps=[2], columns=[dense(0, FLOAT64, [2.0])])
            session.wait_durable(1, 3)
        self.assertEqual([(r.code, r.first_row, r.rows) for r in session.rejected], [(3, 0, 2)])
        self.assertIn("loss", session.rejected[0].message)
        self.assertEqual(self.read(run, "loss")[0], [2])

    def test_an_unknown_run_ends_the_stream_with_not_found(self):
        with self.assertRaises(grpc.RpcError) as caught:
            Session(self.server.channel, "0" * 32, os.urandom(16))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)


if __name__ == "__main__":
    unittest.main()
