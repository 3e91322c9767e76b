"""docs/format.md suffices for a second decoder: read_chunks and read_store are one, and
agree with the golden files and, bit for bit, with the server."""

import math
import struct
import subprocess
import unittest

import read_chunks
from read_store import Store
from server import BIN, ROOT, Server
from waterflow.v1 import (admin_pb2, admin_pb2_grpc, query_pb2, query_pb2_grpc, tracking_pb2,
                          tracking_pb2_grpc)


def golden_records(path):
    records, field = [], None
    for line in path.read_text().splitlines():
        if line.startswith(" "):
            records[-1][field] += " " + line.strip()
        elif line and not line.startswith("#"):
            field, text = line.split(":", 1)
            if field == "name":
                records.append({})
            records[-1][field] = text.strip()
    return records


def items(text):
    """Items parted by blanks; "AxN" is N times A."""
    for item in text.split():
        value, _, times = item.partition("x")
        yield from [value] * int(times or 1)


class FormatTest(unittest.TestCase):

    def test_golden_chunks_and_columns(self):
        for record in golden_records(ROOT / "tests/golden/chunks.txt"):
            with self.subTest(record["name"]):
                read = read_chunks.Bytes(bytes.fromhex(record["bytes"]))
                if record["kind"] == "chunk":
                    values = [int(item, 16) for item in items(record["values"])]
                    self.assertEqual(read_chunks.chunk(read, len(values)), values)
                else:
                    values = [int(item) for item in items(record["values"])]
                    self.assertEqual(read_chunks.column(read, len(values)), values)
                self.assertEqual(read.rest(), b"")

    def test_a_real_run_reads_as_the_server_reads_it(self):
        server = Server()
        self.addCleanup(server.stop)
        subprocess.run([BIN / "waterflow", "--server", server.address, "import",
                        ROOT / "examples/trace", "--run", "lm_diverge"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        admin_pb2_grpc.AdminStub(server.channel).Flush(admin_pb2.FlushRequest())
        expected = self._from_server(server.channel)
        server.kill()  # all of it is sealed
        store = Store(subprocess.run([BIN / "waterflowd", "dump", "--data-dir", server.data_dir],
                                     check=True, stdout=subprocess.PIPE).stdout)
        server.start()
        found = store.series()
        self.assertEqual(sum(map(len, expected.values())), 498_416)
        self.assertEqual(found.keys(), expected.keys())
        for name, points in found.items():
            with self.subTest(name):
                # The server answers along the axis; a run's rows come as they were logged.
                self.assertEqual(sorted(points, key=lambda point: point[:2]), expected[name])

        self._compare_summaries(store.summaries(), expected)

    def _compare_summaries(self, summaries, expected):
        by_metric = {}
        for (run, _, metric), points in expected.items():
            values = struct.unpack(f"<{len(points)}d",
                                   struct.pack(f"<{len(points)}Q", *(p[2] for p in points)))
            by_metric.setdefault((run, metric), []).extend(values)
        # The two of each 100 steps are too short for summaries.
        self.assertEqual(len(by_metric.keys() - summaries.keys()), 2)
        for name, strips in summaries.items():
            with self.subTest(name):
                finite = [value for value in by_metric[name] if math.isfinite(value)]
                self.assertEqual(sum(strip[0] for strip in strips), len(by_metric[name]))
                self.assertEqual(min((s[1] for s in strips if s[1] is not None), default=None),
                                 min(finite, default=None))
                self.assertEqual(max((s[2] for s in strips if s[2] is not None), default=None),
                                 max(finite, default=None))

    @staticmethod
    def _from_server(channel):
        run, = tracking_pb2_grpc.TrackingStub(channel).ListRuns(
            tracking_pb2.ListRunsRequest()).runs
        query = query_pb2_grpc.QueryStub(channel)
        names = [metric.name for metric in query.ListMetrics(
            query_pb2.ListMetricsRequest(run_id=run.id)).metrics]
        series = {}
        for answer in query.Read(query_pb2.ReadRequest(run_ids=[run.id], metrics=names)):
            part = answer.part
            bits = struct.unpack(f"<{len(part.values)}Q",
                                 struct.pack(f"<{len(part.values)}d", *part.values))
            if bits:
                series.setdefault((run.name, part.worker.rank, part.metric), []).extend(
                    zip(part.steps, part.times_ns, bits))
        return series


if __name__ == "__main__":
    unittest.main()
