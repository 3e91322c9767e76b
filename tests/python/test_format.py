"""docs/format.md suffices for a second decoder: read_blocks, read_summaries and read_store are
one, and agree with the golden files and, bit for bit, with the server."""

import subprocess
import unittest

import numpy as np
import xxhash

import read_blocks
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


def summary_of(rows, bits):
    """The fields that read_summaries.summary must give."""
    if not len(bits):
        return {"values": 0}
    values = bits.view("f8")
    finite = values[np.isfinite(values)]
    fields = {
        "values": len(values), "count": len(finite),
        "odd": [np.count_nonzero(odd) for odd in (np.isnan(values), values == np.inf,
                                                  values == -np.inf)],
        "first_row": rows[0], "last_row": rows[-1], "first": bits[0], "last": bits[-1]}
    if len(finite):
        least, most = np.argmax(values == finite.min()), np.argmax(values == finite.max())
        fields |= {"min_row": rows[least], "max_row": rows[most],
                   "min": bits[least], "max": bits[most]}
        with np.errstate(over="ignore"):
            # Of equal values exactly; a sum may be beyond float64.
            fields["mean"] = finite[0] + (finite / len(finite) - finite[0] / len(finite)).sum()
            fields["m2"] = ((finite - fields["mean"])**2).sum()
    return fields


class FormatTest(unittest.TestCase):

    def test_golden_chunks_and_columns(self):
        for record in golden_records(ROOT / "tests/golden/chunks.txt"):
            with self.subTest(record["name"]):
                read = read_blocks.Bytes(bytes.fromhex(record["bytes"]))
                if record["kind"] == "chunk":
                    values = [int(item, 16) for item in items(record["values"])]
                    found = read_blocks.chunk(read, len(values)).view("u8")
                else:
                    values = [int(item) for item in items(record["values"])]
                    found = read_blocks.column(read, len(values))
                self.assertEqual(found.tolist(), values)
                self.assertEqual(read.at, len(read.data))

    def test_a_real_run_reads_as_the_server_reads_it(self):
        server = self._server()
        subprocess.run([BIN / "waterflow", "--server", server.address, "import",
                        ROOT / "examples/trace", "--run", "lm_diverge"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        expected, store = self._read(server), self._sealed(server)
        self.assertEqual(self._compare_series(store.series(), expected), 498_416)
        self.assertGreater(self._compare_summaries(store), 2500)

    def test_the_golden_directories_read_as_the_server_reads_them(self):
        for archive in sorted((ROOT / "tests/golden/directory").glob("*.tar.gz")):
            with self.subTest(archive.name):
                server = self._server(archive)
                expected, store = self._read(server), self._sealed(server)
                self.assertGreater(self._compare_series(store.series(), expected), 5000)
                self.assertGreater(self._compare_summaries(store), 50)

    def test_what_is_damaged_is_found_by_its_checksum(self):
        value = b"value" + xxhash.xxh3_64_digest(b"value")[::-1]
        self.assertEqual(read_blocks.checked(value).data, b"value")
        with self.assertRaises(ValueError):
            read_blocks.checked(b"V" + value[1:])

    def _server(self, archive=None):
        """On the data directory in `archive`, if there is one."""
        server = Server(archive)
        self.addCleanup(server.stop)
        return server

    @staticmethod
    def _sealed(server):
        """All that the server holds, sealed."""
        admin_pb2_grpc.AdminStub(server.channel).Flush(admin_pb2.FlushRequest())
        server.kill()
        store = Store(subprocess.run([BIN / "waterflowd", "dump", "--data-dir", server.data_dir],
                                     check=True, stdout=subprocess.PIPE).stdout)
        server.start()
        return store

    def _compare_series(self, found, expected):
        """How many values there are."""
        self.assertEqual(found.keys(), expected.keys())
        for name, columns in found.items():
            with self.subTest(name):
                # The server answers along the axis; a run's rows come as they were logged.
                order = np.argsort(columns[1], kind="stable")
                for column, right in zip(columns, expected[name]):
                    np.testing.assert_array_equal(column[order], right)
        return sum(len(bits) for _, _, bits in found.values())

    def _compare_summaries(self, store):
        """How many summaries there are, of strips and of spans."""
        count = 0
        for *place, strips, tile, summaries in store.tiles():
            self.assertEqual(summaries is None, all(strip.rows < 64 for strip in strips))
            for chunks, summed in zip(tile, summaries or []):
                for strip, values, found in zip(strips, chunks, summed):
                    with self.subTest(tile=place, worker=strip.worker, row=strip.first_row):
                        count += self._compare_strip(strip, *values, found)
        return count

    def _compare_strip(self, strip, rows, bits, found):
        if strip.rows < 64:
            self.assertEqual(found, [None])
            return 0
        extents = [(0, strip.rows)]
        if strip.rows > 512:
            extents += [(first, first + 256) for first in range(0, strip.rows, 256)]
        self.assertEqual(len(found), len(extents))
        for summary, (first, end) in zip(found, extents):
            inside = slice(*np.searchsorted(rows, (first, end)))
            for name, right in summary_of(rows[inside], bits[inside]).items():
                if name in ("mean", "m2"):  # depend on the order of additions
                    np.testing.assert_allclose(getattr(summary, name), right, 1e-9, 1e-18)
                else:
                    self.assertEqual(getattr(summary, name), right, name)
        return len(found)

    @staticmethod
    def _read(server):
        """{(run, role, rank, metric): (steps, times, bits of values)}, by time."""
        query, series = query_pb2_grpc.QueryStub(server.channel), {}
        for run in tracking_pb2_grpc.TrackingStub(server.channel).ListRuns(
                tracking_pb2.ListRunsRequest()).runs:
            names = [metric.name for metric in query.ListMetrics(
                query_pb2.ListMetricsRequest(run_id=run.id)).metrics]
            if not names:
                continue
            for answer in query.Read(query_pb2.ReadRequest(
                    run_ids=[run.id], metrics=names, axis=query_pb2.AXIS_TIME)):
                for part in answer.parts:
                    name = (run.name, part.worker.role, part.worker.rank, part.metric)
                    series.setdefault(name, []).append((
                        part.steps, part.times_ns, np.array(part.values).view("i8")))
        return {name: [np.concatenate(columns) for columns in zip(*parts)]
                for name, parts in series.items()}


if __name__ == "__main__":
    unittest.main()
