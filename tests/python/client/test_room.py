"""A spool that grows too large: old rows are thinned, then deleted, newest rows and extremes stay,
and every count of what is lost adds up."""

import math
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import unittest
from unittest import mock

from support import (DEADLINE, ClientTest, DeliveryTest, all_records, eventually, records_of,
                     segment_paths)
from waterflow import spool_format, spool_reader
from waterflow.sender import notes
from waterflow.sender.room import Room, make_room
from waterflow.sender.thin import FIRST_THINNED, WINDOW_ROWS, Damaged, thin
from waterflow.sender_start import is_running
from waterflow.spool_thinned import read_thinned


def rows_of(path):
    """{schema: [(row, step, {place: bits of the value})]} of one segment, and its header."""
    reader = spool_reader.SegmentReader(str(path))
    lanes, header = {}, None
    for record in reader.records(True):
        parsed = spool_reader.parse(record)
        if record.kind == spool_format.HEADER:
            header = parsed
        elif isinstance(parsed, spool_reader.Row):
            bits = struct.unpack(f"<{len(parsed.values) // 8}Q", parsed.values)
            places = parsed.metrics if parsed.metrics is not None else range(len(bits))
            lanes.setdefault(parsed.schema, []).append(
                (parsed.row, parsed.step, dict(zip(places, bits))))
    damaged = reader.damaged_bytes
    reader.close()
    assert damaged == 0
    return lanes, header


def number(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


class ThinTest(ClientTest):

    def spool(self, rows, **more):
        run = self.offline(segment_bytes=1 << 26, **more)
        for step, row in enumerate(rows):
            run.log(row, step=step)
        run.finish()
        (path,) = segment_paths(self.root)
        return path

    def test_each_window_keeps_its_last_row_and_every_extreme(self):
        rng = random.Random(3)
        odd = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e308]
        rows = [{f"m{i}": rng.gauss(0, 1) if rng.random() < 0.99 else rng.choice(odd)
                 for i in range(7)} for _ in range(1000)]
        path = self.spool(rows)
        before = rows_of(path)[0][1]
        done = thin(str(path))
        lanes, header = rows_of(path)
        after = lanes[FIRST_THINNED + 1]
        self.assertEqual((done.rows, done.kept, done.size),
                         (1000, len(after), path.stat().st_size))
        self.assertEqual(header["lanes"], {"1": 1000, str(FIRST_THINNED + 1): 0})
        self.assertEqual([row for row, _, _ in after], list(range(len(after))))
        steps = [step for _, step, _ in after]
        self.assertEqual(steps, sorted(set(steps)))
        logged = {step: values for _, step, values in before}
        left = {step: values for _, step, values in after}
        for step, values in left.items():
            self.assertEqual(values, {place: logged[step][place] for place in values})
        for first in range(0, 1000, WINDOW_ROWS):
            window = range(first, min(first + WINDOW_ROWS, 1000))
            self.assertEqual(left[window[-1]], logged[window[-1]])
            for place in range(7):
                whole = [number(logged[step][place]) for step in window]
                kept = [number(left[step][place]) for step in window
                        if place in left.get(step, {})]
                for least_or_greatest in (min, max):
                    self.assertEqual(least_or_greatest(filter(math.isfinite, kept)),
                                     least_or_greatest(filter(math.isfinite, whole)))
                for is_such in (math.isnan, math.inf.__eq__, (-math.inf).__eq__):
                    self.assertEqual(any(map(is_such, kept)), any(map(is_such, whole)))

    def test_it_becomes_small_and_smaller_still(self):
        path = self.spool({f"m{i}": math.sin(step * (i + 1)) for i in range(20)}
                          for step in range(20_000))
        whole = path.stat().st_size
        once = thin(str(path))
        self.assertLess(once.size, whole / 5)
        twice = thin(str(path))
        self.assertEqual(twice.rows, once.kept)
        self.assertLess(twice.size, once.size / 4)
        lanes, header = rows_of(path)
        self.assertEqual(header["thinned"], 2)
        self.assertEqual(list(lanes), [FIRST_THINNED + 1])
        self.assertEqual(lanes[FIRST_THINNED + 1][-1][:2], (once.kept - 1, 19_999))

    def test_many_lanes_sparse_rows_and_what_was_said(self):
        run = self.offline(segment_bytes=1 << 26)
        for step in range(4000):
            run.log({"a": step, "b": -step}, step=step)
            run.log({f"m/{step % 100}": step, f"n/{step % 90}": 1})
        run.config.late = 1
        run.finish("FAILED")
        (path,) = segment_paths(self.root)
        before, _ = rows_of(path)
        thin(str(path))
        after, header = rows_of(path)
        self.assertEqual(after.keys(), {schema + FIRST_THINNED for schema in before})
        for schema, rows in before.items():
            self.assertEqual(header["lanes"][str(schema)], rows[-1][0] + 1)
        for rows in after.values():
            self.assertEqual([row for row, _, _ in rows], list(range(len(rows))))
        kinds = [record.kind for record in all_records(path.parent)[0]]
        self.assertEqual((kinds[0], kinds[-1]), (spool_format.HEADER, spool_format.END))
        (update,) = records_of(spool_format.UPDATE, self.root)[-1:]
        self.assertEqual(spool_reader.json_of(update), {"params": {"late": "1"}})

    def test_rows_without_a_step_keep_having_none(self):
        run = self.offline()
        for i in range(200):
            run.log({"x": i}, step=0.5)
        run.finish()
        (path,) = segment_paths(self.root)
        thin(str(path))
        (lane,) = rows_of(path)[0].values()
        self.assertEqual({step for _, step, _ in lane}, {None})

    def test_a_damaged_segment_is_left_as_it_is(self):
        path = self.spool({"x": i} for i in range(100))
        data = bytearray(path.read_bytes())
        data[-200] ^= 0xff
        path.write_bytes(data)
        with self.assertRaises(Damaged):
            thin(str(path))
        self.assertEqual(path.read_bytes(), data)

    def test_an_emptied_segment_still_says_how_many_rows_there_were(self):
        path = self.spool({"x": i} for i in range(100))
        self.assertEqual(thin(str(path), is_emptied=True)[:2], (100, 0))
        lanes, header = rows_of(path)
        self.assertEqual((lanes, header["lanes"]["1"]), ({}, 100))


class RoomTest(ClientTest):

    def spool(self, rows, **more):
        run = self.offline(segment_bytes=20_000, **more)
        for i in range(rows):
            run.log({"x": math.sin(i), "y": i}, step=i)
        return run

    def size(self):
        return sum(path.stat().st_size for path in segment_paths(self.root))

    def levels(self):
        return [rows_of(path)[1].get("thinned", 0) for path in segment_paths(self.root)]

    def test_the_newer_the_more_is_left(self):
        run = self.spool(40_000)
        make_room(self.root, 300_000)
        self.assertLessEqual(self.size(), 300_000)
        self.assertEqual(self.levels(), sorted(self.levels(), reverse=True))
        self.assertGreaterEqual(self.levels().count(0), 150_000 // 21_000)
        self.assertGreater(self.levels().count(1), 10)
        (folder,) = run._writer.folders
        rows, kept, _ = read_thinned(folder)
        left = sum(len(lane) for path in segment_paths(self.root)
                   for lane in rows_of(path)[0].values())
        self.assertEqual(40_000 - left, rows - kept)
        self.assertEqual(run.thinned_rows, rows)

    def test_room_made_over_and_over_is_the_same_as_a_spool_that_grows(self):
        run, room = self.offline(segment_bytes=20_000), Room(self.root, 100_000)
        for i in range(60_000):
            run.log({"x": math.sin(i), "y": i}, step=i)
            if i % 3000 == 0:
                list(room.steps())
                self.assertLessEqual(self.size(), 100_000)
        self.assertEqual(set(self.levels()), {0, 1, 2})
        self.assertEqual(self.levels(), sorted(self.levels(), reverse=True))
        (folder,) = run._writer.folders
        for i in range(150_000):
            run.log({"x": math.sin(i), "y": i}, step=i)
            if i % 3000 == 0:
                list(room.steps())
        list(room.steps())
        left = sum(len(lane) for path in segment_paths(self.root)
                   for lane in rows_of(path)[0].values())
        rows, kept, _ = read_thinned(folder)
        self.assertEqual(210_000 - left, rows - kept)
        self.assertGreater(spool_reader.segments(folder)[0], 1)  # the oldest are gone altogether

    def test_rows_that_may_have_been_sent_are_not_renumbered(self):
        run = self.spool(20_000)
        (folder,) = run._writer.folders
        notes.note_sent(folder, 12)
        notes.forget(folder)  # as another process would find it
        before = [path.read_bytes() for path in segment_paths(self.root)[:12]]
        make_room(self.root, 700_000)
        self.assertEqual([path.read_bytes() for path in segment_paths(self.root)[:12]], before)
        self.assertIn(1, self.levels())
        make_room(self.root, 50_000)  # not to be had but by deleting them
        self.assertGreater(spool_reader.segments(folder)[0], 1)
        self.assertLessEqual(self.size(), 50_000)

    def test_the_segment_that_is_written_to_is_never_touched(self):
        run = self.spool(2000)
        newest = segment_paths(self.root)[-1]
        before = newest.read_bytes()
        make_room(self.root, 1)
        self.assertEqual(segment_paths(self.root), [newest])
        self.assertEqual(newest.read_bytes(), before)
        run.finish()
        make_room(self.root, 1)  # its writer is gone: what remains says how many rows there were
        self.assertEqual(rows_of(newest)[0], {})
        (end,) = records_of(spool_format.END, self.root)
        self.assertEqual(spool_reader.json_of(end)["lanes"], {"1": 2000})

    def test_spools_of_many_short_processes_are_bounded_too(self):
        for _ in range(30):
            run = self.offline()
            for i in range(500):
                run.log({"x": i}, step=i)
            run.finish()
        whole = self.size()
        make_room(self.root, whole // 3)
        self.assertLessEqual(self.size(), whole // 3)
        self.assertEqual(len(segment_paths(self.root)), 30)

    def test_a_disk_without_room_for_the_thinned_one_goes_on(self):
        self.spool(5000)
        with mock.patch("os.replace", side_effect=OSError(28, "No space left on device")):
            make_room(self.root, 50_000)
        self.assertEqual(list(pathlib.Path(self.root).glob("*/*.thin")), [])
        self.assertLessEqual(self.size(), 50_000)  # for the oldest are deleted

    def test_segments_that_make_no_sense_are_deleted_in_their_turn(self):
        self.spool(6000).finish()
        paths = segment_paths(self.root)
        said = spool_reader.json_of(next(iter(all_records(paths[0].parent)[0])))
        row = spool_format.record(spool_format.ROW, spool_format.AXES.pack(1, 5, 0, 0) + bytes(800))
        schema = spool_format.schema_record(1, 0, ("x", "y"))
        header = spool_format.json_record(spool_format.HEADER, said)
        for path, data in zip(paths, (
                b"", bytes(20_000), spool_format.json_record(spool_format.HEADER, {}) + bytes(9000),
                header + row * 20, header + schema + row + paths[3].read_bytes()[-9000:],
                spool_format.json_record(spool_format.HEADER, {**said, "lanes": 3}) + schema + row * 9,
                spool_format.record(spool_format.HEADER, b"[1, 2]") + schema + row * 9)):
            path.write_bytes(data)
        make_room(self.root, 60_000)
        self.assertLessEqual(self.size(), 60_000)
        make_room(self.root, 1)
        self.assertEqual(len(segment_paths(self.root)), 1)

    def test_an_offline_trainer_has_its_spool_bounded(self):
        out = self.run_trainer("""
            import math, os, time
            run = waterflow.init(mode="offline", segment_bytes=20_000)
            def size():
                while True:
                    try:
                        return sum(e.stat().st_size for e in os.scandir(run._writer.folders[0]))
                    except FileNotFoundError:  # deleted just now
                        pass
            for i in range(200_000):
                run.log({"x": math.sin(i), "y": i}, step=i)
                if i % 5000 == 0:
                    run._check_at = 0  # some seconds later
            deadline = time.monotonic() + 100
            while size() > 1_000_000 and time.monotonic() < deadline:
                run._check_at = run._bounded_at = 0
                run.log({"x": 0, "y": 0}, step=i)
                time.sleep(0.05)
            print(size() <= 1_000_000, run.thinned_rows > 0)
            """, WATERFLOW_MAX_SPOOL_BYTES="1000000")
        self.assertEqual(out, "True True\n")
        eventually(lambda: not is_running(self.root), "the end of the process that made room")

    def test_the_trainer_says_it_once(self):
        run = self.spool(5000)
        make_room(self.root, 50_000)
        for _ in range(3):
            run._check_at = 0
            run.log({"x": 0, "y": 0})
        self.assertEqual(len([line for line in self.said if "only extremes" in line]), 1)

    def test_a_limit_that_makes_no_sense_is_said_by_init(self):
        with mock.patch.dict(os.environ, {"WATERFLOW_MAX_SPOOL_BYTES": "20 GB"}):
            with self.assertRaisesRegex(ValueError, "max_spool_bytes is '20 GB'"):
                self.offline()


class OutageTest(DeliveryTest):

    def setUp(self):
        super().setUp()
        os.environ["WATERFLOW_MAX_SPOOL_BYTES"] = "200000"
        self.addCleanup(os.environ.pop, "WATERFLOW_MAX_SPOOL_BYTES")

    def grow(self, run, first, count):
        for i in range(first, first + count):
            run.log({"x": math.sin(i), "spike": 1000.0 if i == first + 777 else 0.0}, step=i)

    def await_room(self):
        eventually(lambda: sum(p.stat().st_size for p in segment_paths(self.root)) < 200_000,
                   "room")

    def check(self, run, count, first_spike):
        """What is stored and what is lost is all; each row once, as it was logged; the spike is
        there, and so are the newest rows."""
        answer = self.client().query(run.id, ["x", "spike"], axis="time")
        by_name = {series.metric: series for series in answer}
        stored = self.client().run(run.id)
        thinned = int(stored.tags["waterflow.thinned_rows.rank0"])
        self.assertGreater(thinned, count // 2)
        lost = sum(end - first for _, _, first, end in answer.lost)
        self.assertGreaterEqual(lost, thinned)
        in_part = stored.row_count - (count - thinned)
        self.assertGreater(in_part, 0)
        self.assertLess(in_part, thinned / 3)
        x = by_name["x"]
        self.assertEqual(len(set(x.steps)), len(x.steps))
        self.assertEqual(list(x.values), [math.sin(step) for step in x.steps])
        self.assertEqual(list(x.steps)[-600:], list(range(count - 600, count)))
        spikes = dict(zip(by_name["spike"].steps, by_name["spike"].values))
        self.assertEqual(spikes[first_spike], 1000.0)

    def test_an_outage_that_fills_the_spool(self):
        run = self.online(segment_bytes=20_000)
        self.await_sender()
        self.server.kill()
        self.grow(run, 0, 20_000)
        self.await_room()
        self.assertIn("a segment was thinned", self.sender_log())
        self.server.start(self.server.port)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check(run, 20_000, 777)

    def test_rows_sent_before_the_outage_are_not_doubled(self):
        """The server takes rows and cannot say so, the sender is killed, what waits is thinned."""
        run = self.online(segment_bytes=20_000)
        self.grow(run, 0, 500)
        sender = self.await_sender()
        eventually(lambda: "of run" in self.sender_log(), "the run")
        os.kill(sender, signal.SIGSTOP)
        self.grow(run, 500, 1500)
        os.kill(sender, signal.SIGCONT)
        eventually(lambda: any(notes.sent_segment(folder) > 1 for folder in run._writer.folders)
                   or self.is_caught_up(run), "rows on their way")
        self.server.freeze()
        os.kill(sender, signal.SIGKILL)
        eventually(lambda: not is_running(self.root), "the end of the sender")
        self.grow(run, 2000, 20_000)
        run._check_at = 0
        run.log({"x": math.sin(22_000), "spike": 0.0}, step=22_000)
        self.await_room()
        self.server._process.send_signal(signal.SIGCONT)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check(run, 22_001, 2777)

    def is_caught_up(self, run):
        return len(segment_paths(self.root)) == 1

    def test_a_spool_that_was_emptied_says_what_it_lost(self):
        run = self.offline()
        for i in range(100):
            run.log({"x": i}, step=i)
        run.finish()
        make_room(self.root, 1)
        self.assertEqual(self.sync(), "")
        stored = self.client().run(run.id)
        self.assertEqual((stored.row_count, stored.status), (0, 3))
        self.assertEqual(stored.tags["waterflow.lost_last_rows.rank0"], "100")
        self.assertEqual(stored.tags["waterflow.thinned_rows.rank0"], "100")

    def sync(self):
        done = subprocess.run(
            [sys.executable, "-B", "-m", "waterflow", "sync", self.root, "--server",
             self.server.address], capture_output=True, text=True, timeout=DEADLINE)
        return "" if done.returncode == 0 else done.stderr

    def test_sync_delivers_what_was_thinned(self):
        run = self.offline(segment_bytes=20_000)
        self.grow(run, 0, 20_000)
        run.finish()
        make_room(self.root, 200_000)
        self.assertEqual(self.sync(), "")
        self.check(run, 20_000, 777)


if __name__ == "__main__":
    unittest.main()
