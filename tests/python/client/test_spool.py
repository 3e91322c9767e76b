"""The spool: what log() has returned from is in it, whatever happens to the process, the disk or
the files."""

import errno
import itertools
import os
import pathlib
import signal
import struct
import tempfile
import threading
import unittest
import zlib
from unittest import mock

from support import ClientTest, all_records, header, records_of, segment_paths
from waterflow import spool_format, spool_reader, spool_stream
from waterflow.spool_writer import DENSE_SCHEMAS

GOLDEN = pathlib.Path(__file__).with_name("spool_v1.hex")


def golden_records():
    return {
        "header": spool_format.json_record(spool_format.HEADER, {"version": 1, "stream": "00ff"}),
        "schema": spool_format.schema_record(1, 5, ("train/loss", "\u00e9")),
        "row": with_crc(spool_format.row_struct(2).pack(
            spool_format.MAGIC, spool_format.ROW, spool_format.HAS_STEP, 44, 1, 5, -3,
            1700000000000000000, 2.5, float("-inf"))),
        "sparse": spool_format.sparse_record(2, 2**40, 0, 0, -1, [0, 7], [1.0, -0.0]),
        "update": spool_format.json_record(spool_format.UPDATE, {"params": {"lr": "0.1"}}),
        "end": spool_format.json_record(
            spool_format.END, {"status": "FINISHED", "lanes": {"1": 6}, "lost": 0}),
    }


def with_crc(data):
    return data + spool_format.CRC.pack(zlib.crc32(data))


class FormatTest(unittest.TestCase):

    def test_the_bytes_of_version_1(self):
        lines = "".join(f"{name} {data.hex()}\n" for name, data in golden_records().items())
        self.assertEqual(lines, GOLDEN.read_text())

    def test_the_bytes_of_version_1_are_read(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        data = [bytes.fromhex(line.split()[1]) for line in GOLDEN.read_text().splitlines()]
        (folder / spool_format.segment_name(1)).write_bytes(b"".join(data))
        records, reader = all_records(folder)
        self.assertEqual((reader.damaged_bytes, reader.is_done), (0, True))
        _, schema, row, sparse, _, end = [spool_reader.parse(record) for record in records]
        self.assertEqual(schema, (1, 5, ["train/loss", "\u00e9"]))
        self.assertEqual(row, (1, 5, -3, 1700000000000000000, None,
                               struct.pack("<2d", 2.5, float("-inf"))))
        self.assertEqual(sparse, (2, 2**40, None, -1, (0, 7), struct.pack("<2d", 1.0, -0.0)))
        self.assertEqual(end["lanes"], {"1": 6})


class WriterTest(ClientTest):

    def test_a_row_is_in_the_file_when_log_returns(self):
        run = self.offline()
        run.log({"x": 1.5}, step=3)
        self.assertEqual(self.rows(), [(3, {"x": 1.5})])

    def test_nobody_else_may_read_it(self):
        self.offline().log({"x": 1})
        (path,) = segment_paths(self.root)
        self.assertEqual(path.stat().st_mode & 0o077, 0)
        self.assertEqual(path.parent.stat().st_mode & 0o077, 0)

    def test_no_thread_is_started(self):
        before = threading.active_count()
        run = self.offline()
        run.log({"x": 1})
        run.finish()
        self.assertEqual(threading.active_count(), before)

    def test_segments_are_bounded_and_each_can_be_read_alone(self):
        run = self.offline(segment_bytes=5000, config={"lr": 1})
        for i in range(1000):
            run.log({"x": i})
            run.log({"a": i, "b": -i})
        run.finish()
        paths = segment_paths(self.root)
        self.assertGreater(len(paths), 10)
        self.assertLess(max(path.stat().st_size for path in paths), 7000)
        self.assertEqual(len(self.rows()), 2000)
        for path in paths[:-1]:
            path.unlink()
        rows = self.rows()
        self.assertGreater(len(rows), 0)
        self.assertEqual(rows[-1], (1999, {"a": 999.0, "b": -999.0}))
        bases = header(self.root)["lanes"]
        self.assertEqual(sum(bases.values()), 2000 - len(rows))
        self.assertEqual(header(self.root)["params"], {"lr": "1"})

    def test_a_row_of_a_hundred_values_takes_at_most_8_5_bytes_a_value(self):
        run = self.offline()
        for _ in range(1000):
            run.log({f"train/metric_{i}": i / 3 for i in range(100)})
        run.finish()
        size = sum(path.stat().st_size for path in segment_paths(self.root))
        self.assertLessEqual(size / 100_000, 8.5)

    def test_many_sets_of_names_share_wide_schemas(self):
        run = self.offline()
        expected = []
        for i in range(500):
            row = {f"m/{i % 200}": float(i), f"n/{i % 7}": 1.0}
            expected.append((i, row))
            run.log(row, step=i)
        run.finish()
        self.assertEqual(self.rows(), expected)
        schemas = {spool_reader.parse(r).schema for r in records_of(spool_format.SCHEMA, self.root)}
        self.assertLess(len(schemas), DENSE_SCHEMAS + 207)

    def test_threads_that_log_at_once(self):
        run = self.offline(segment_bytes=50_000)

        def log(thread):
            for i in range(1000):
                run.log({f"t{thread}": i, "both": thread}, step=i)

        threads = [threading.Thread(target=log, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.finish()
        rows = self.rows()
        for thread in range(8):
            self.assertEqual([row[f"t{thread}"] for _, row in rows if f"t{thread}" in row],
                             list(range(1000)))
        self.assert_rows_are_numbered_without_gaps()

    def test_a_signal_handler_that_logs_within_log(self):
        run = self.offline()
        logged = itertools.count()

        def handler(*_):
            run.log({"x": next(logged)}, step=0)
            signal.setitimer(signal.ITIMER_REAL, 0.0005)  # handlers must not pile up

        old = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        count = 0
        while count < 20_000:
            run.log({"x": count}, step=1)
            count += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        run.finish()
        self.assertEqual(self.said[1:], [])  # but that it is offline
        rows = self.rows()
        self.assertEqual(sorted(row["x"] for step, row in rows if step == 1), list(range(count)))
        self.assertEqual(sorted(row["x"] for step, row in rows if step == 0),
                         list(range(next(logged))))
        self.assert_rows_are_numbered_without_gaps()

    def test_an_exception_out_of_a_write_costs_no_other_row(self):
        run = self.offline()
        run.log({"x": 0})
        write = spool_stream._write

        def interrupted(fd, data):
            write(fd, data)
            raise KeyboardInterrupt

        with mock.patch.object(spool_stream, "_write", interrupted):
            with self.assertRaises(KeyboardInterrupt):
                run.log({"x": 1})
        run.log({"x": 2})
        run.log({"x": 3})
        run.finish()
        self.assertEqual(sorted(row["x"] for _, row in self.rows()), [0, 1, 2, 3])
        self.assert_rows_are_numbered_without_gaps()

    def test_spool_folders_of_one_second_differ(self):
        runs = [self.offline(name="same") for _ in range(20)]
        for i, run in enumerate(runs):
            run.log({"x": i})
        self.assertEqual(sorted(row["x"] for _, row in self.rows()), list(range(20)))

    def test_a_removed_spool_is_begun_anew(self):
        run = self.offline()
        run.log({"x": 1})
        for path in segment_paths(self.root):
            path.unlink()
            path.parent.rmdir()
        run._check_at = 0
        run.log({"x": 2})
        run.log({"x": 3})
        self.assertIn({"x": 3.0}, [row for _, row in self.rows()])

    def assert_rows_are_numbered_without_gaps(self):
        for folder in pathlib.Path(self.root).iterdir():
            numbers = {}
            for record in all_records(folder)[0]:
                if record.kind == spool_format.ROW:
                    row = spool_reader.parse(record)
                    numbers.setdefault(row.schema, []).append(row.row)
            for rows in numbers.values():
                self.assertEqual(rows, list(range(len(rows))))


class ForkTest(ClientTest):

    def fork(self, child):
        pid = os.fork()
        if pid == 0:
            try:
                child()
                os._exit(0)
            finally:
                os._exit(1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def log(self, run, first, count):
        for i in range(first, first + count):
            run.log({"x": i}, step=i)

    def test_rows_of_parent_and_child_are_all_there(self):
        run = self.offline()
        self.log(run, 0, 100)
        self.fork(lambda: self.log(run, 100, 100))
        self.log(run, 200, 100)
        run.finish()
        self.assertEqual(sorted(row["x"] for _, row in self.rows()), list(range(300)))
        streams = [spool_reader.json_of(r) for r in records_of(spool_format.HEADER, self.root)]
        self.assertEqual(sorted(stream["is_child"] for stream in streams), [False, True])
        self.assertEqual(len({stream["run_id"] for stream in streams}), 1)
        self.assertEqual(len({stream["stream"] for stream in streams}), 2)

    def test_a_child_that_does_not_log_leaves_nothing(self):
        run = self.offline()
        self.log(run, 0, 1)
        self.fork(lambda: None)
        self.assertEqual(len(segment_paths(self.root)), 1)

    def test_children_of_children(self):
        run = self.offline()

        def child():
            self.log(run, 0, 10)
            self.fork(lambda: self.log(run, 10, 10))
            self.log(run, 20, 10)

        self.fork(child)
        self.assertEqual(sorted(row["x"] for _, row in self.rows()), list(range(30)))

    def test_fork_while_other_threads_log(self):
        run = self.offline()
        stop = threading.Event()

        def log():
            while not stop.is_set():
                run.log({"parent": 1})

        threads = [threading.Thread(target=log) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for i in range(20):
                self.fork(lambda i=i: self.log(run, 10 * i, 10))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        rows = [row["x"] for _, row in self.rows() if "x" in row]
        self.assertEqual(sorted(rows), list(range(200)))

    def test_spawn_joins_the_same_run(self):
        script = pathlib.Path(self.root, "script.py")
        script.write_text(
            "import multiprocessing, waterflow\n"
            "def child(run, first):\n"
            "    for i in range(first, first + 10):\n"
            "        run.log({'x': i})\n"
            "if __name__ == '__main__':\n"
            "    context = multiprocessing.get_context('spawn')\n"
            "    run = waterflow.init(mode='offline')\n"
            "    many = [context.Process(target=child, args=(run, 10 * i)) for i in range(3)]\n"
            "    for process in many: process.start()\n"
            "    for process in many: process.join()\n"
            "    run.finish()\n")
        self.run_trainer(f"import subprocess, sys\n"
                         f"sys.exit(subprocess.call([sys.executable, {str(script)!r}]))")
        script.unlink()
        self.assertEqual(sorted(row["x"] for _, row in self.rows()), list(range(30)))
        headers = [spool_reader.json_of(r) for r in records_of(spool_format.HEADER, self.root)]
        self.assertEqual(len({h["run_id"] for h in headers}), 1)


class DiskTest(ClientTest):

    def test_a_short_write_begins_a_new_segment(self):
        # A file may have 10,000 bytes: the write that crosses them is cut short.
        self.run_trainer("""
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
            run = waterflow.init(mode="offline")
            for i in range(2000):
                run.log({"x": i, "y": -i}, step=i)
            run.finish()
            assert run.lost_rows == 0
            """)
        self.assertGreater(len(segment_paths(self.root)), 10)
        self.assertEqual(self.rows(), [(i, {"x": i, "y": -i}) for i in range(2000)])

    def test_a_full_disk_loses_what_it_does_not_take_and_counts_it(self):
        run = self.offline()
        run.log({"x": 0})
        with self.disk_full():
            for i in range(1, 6):
                run.log({"x": i})
        run.log({"x": 6})
        run.finish()
        self.assertEqual(run.lost_rows, 5)
        self.assertEqual([row["x"] for _, row in self.rows()], [0, 6])
        rows = [spool_reader.parse(record) for record in records_of(spool_format.ROW, self.root)]
        self.assertEqual([row.row for row in rows], [0, 6])
        self.assertEqual(len([line for line in self.said if "takes no rows" in line]), 1)
        self.assertTrue(any("5 rows are lost" in line for line in self.said))

    def test_a_spool_that_cannot_be_made_does_not_stop_the_training(self):
        in_a_file = pathlib.Path(self.root, "file")
        in_a_file.write_text("")
        out = self.run_trainer(f"""
            run = waterflow.init(mode="offline", dir={str(in_a_file / "spool")!r})
            for i in range(1000):
                run.log({{"x": i}})
            run.finish()
            print(run.lost_rows)
            """)
        self.assertEqual(out, "1000\n")

    def test_a_spool_that_can_be_made_later_is_used(self):
        run = self.offline()
        with self.disk_full(), mock.patch.object(spool_stream, "RETRY_NS", 0):
            run.log({"x": 0})
            run._writer._stream.close()
            run.log({"x": 1})
        run._writer._stream._retry_at = 0
        run.log({"x": 2})
        self.assertEqual([row["x"] for _, row in self.rows()], [2])

    def disk_full(self):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")
        return mock.patch.object(spool_stream, "_write", full)


class DamageTest(ClientTest):

    def spool(self, rows=100, **more):
        run = self.offline(**more)
        for i in range(rows):
            run.log({"x": i}, step=i)
        run.finish()
        return segment_paths(self.root)

    def read(self):
        (folder,) = {path.parent for path in segment_paths(self.root)}
        records, reader = all_records(folder)
        return [spool_reader.parse(r).row for r in records if r.kind == spool_format.ROW], reader

    def test_every_truncation_keeps_all_whole_rows(self):
        (path,) = self.spool(5)
        whole = path.read_bytes()
        before = -1
        for size in range(len(whole) + 1):
            path.write_bytes(whole[:size])
            rows, reader = self.read()
            self.assertEqual(rows, list(range(len(rows))))
            self.assertGreaterEqual(len(rows), before)
            self.assertTrue(reader.is_done)
            before = len(rows)
        self.assertEqual(before, 5)

    def test_every_flipped_byte_costs_one_record_at_most(self):
        (path,) = self.spool(5)
        whole = path.read_bytes()
        records, _ = all_records(path.parent)
        for at in range(len(whole)):
            damaged = bytearray(whole)
            damaged[at] ^= 0xff
            path.write_bytes(damaged)
            left, reader = all_records(path.parent)
            self.assertEqual(len(left), len(records) - 1, f"byte {at}")
            self.assertGreater(reader.damaged_bytes, 0)

    def test_a_hole_of_zeros(self):
        paths = self.spool(1000, segment_bytes=10_000)
        data = bytearray(paths[1].read_bytes())
        data[2000:6000] = bytes(4000)
        paths[1].write_bytes(data)
        rows, reader = self.read()
        self.assertEqual(sorted(rows), rows)
        self.assertEqual((rows[0], rows[-1]), (0, 999))
        self.assertGreater(len(rows), 900)
        self.assertGreaterEqual(reader.damaged_bytes, 4000)

    def test_half_a_record_is_waited_for_while_its_writer_lives(self):
        run = self.offline()
        for i in range(3):
            run.log({"x": i})
        (path,) = segment_paths(self.root)
        whole = path.read_bytes()
        os.truncate(path, len(whole) - 10)
        reader = spool_reader.SpoolReader(path.parent)
        self.addCleanup(reader.close)
        first = [r for r in reader.records() if r.kind == spool_format.ROW]
        self.assertEqual((len(first), reader.is_done, reader.damaged_bytes), (2, False, 0))
        with open(path, "ab") as file:
            file.write(whole[-10:])
        second = [r for r in reader.records() if r.kind == spool_format.ROW]
        self.assertEqual((len(second), reader.is_done), (1, False))
        run.finish()
        list(reader.records())
        self.assertEqual((reader.is_done, reader.damaged_bytes), (True, 0))


if __name__ == "__main__":
    unittest.main()
