"""Offline runs and waterflow-sync, also of spools that are damaged or too large: the rest is
delivered, and what is lost is said."""

import errno
import os
import shutil
import subprocess
import sys
import unittest
from unittest import mock

from support import DEADLINE, DeliveryTest, header, segment_paths
from waterflow import spool_format, spool_stream
from waterflow.sender_start import is_running


class OfflineTest(DeliveryTest):

    def sync(self, *more):
        return subprocess.run(
            [sys.executable, "-B", "-m", "waterflow", "sync", self.root, "--server",
             self.server.address, *more],
            capture_output=True, text=True, timeout=DEADLINE)

    def spool(self, rows=500, **more):
        run = self.offline(**more)
        for i in range(rows):
            run.log({"x": i}, step=i)
        run.finish()
        return run

    def test_sync_delivers_what_was_kept(self):
        run = self.spool()
        self.assertFalse(is_running(self.root))
        done = self.sync()
        self.assertEqual((done.returncode, self.is_delivered()), (0, True), done.stderr)
        self.check_stored(run.id, "x", range(500), list(range(500)))
        self.assertEqual(self.client().run(run.id).status, 3)

    def test_sync_of_a_copy_changes_nothing(self):
        run = self.spool()
        copy = self.root + "-copy"
        shutil.copytree(self.root, copy)
        self.addCleanup(shutil.rmtree, copy, True)
        self.assertEqual(self.sync().returncode, 0)
        self.root, original = copy, self.root
        self.assertEqual(self.sync().returncode, 0)
        self.root = original
        self.check_stored(run.id, "x", range(500), list(range(500)))

    def test_sync_takes_what_is_there_of_a_run_that_goes_on(self):
        run = self.offline()
        run.log({"x": 0}, step=0)
        self.assertEqual(self.sync().returncode, 0)
        self.check_stored(run.id, "x", [0], [0.0])
        run.log({"x": 1}, step=1)
        run.finish()
        self.assertEqual(self.sync().returncode, 0)
        self.check_stored(run.id, "x", [0, 1], [0.0, 1.0])

    def test_sync_says_what_it_cannot_do(self):
        self.spool()
        done = subprocess.run(
            [sys.executable, "-B", "-m", "waterflow", "sync", self.root + "/nowhere"],
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no folder", done.stderr)
        self.server.kill()
        done = self.sync("--timeout", "0.5")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not delivered", done.stderr)
        self.server.start(self.server.port)

    def test_a_damaged_segment_costs_what_was_in_the_damage(self):
        run = self.spool(3000, segment_bytes=30_000)
        path = segment_paths(self.root)[2]
        data = bytearray(path.read_bytes())
        data[10_000:10_010] = b"\xff" * 10
        path.write_bytes(data)
        self.assertEqual(self.sync().returncode, 0)
        (series,) = answer = self.client().query(run.id, "x")
        missing = set(range(3000)) - set(series.steps)
        self.assertIn(len(missing), (1, 2))
        self.assertEqual(list(series.values), list(series.steps))
        self.assertEqual(answer.lost, [(["x"], 0, min(missing), max(missing) + 1)])
        self.assertIn("waterflow.damaged_bytes.rank0", self.client().run(run.id).tags)

    def test_a_segment_without_its_header_costs_nothing(self):
        run = self.spool(3000, segment_bytes=30_000)
        for path in segment_paths(self.root)[:2]:
            data = bytearray(path.read_bytes())
            data[20] ^= 0xff
            path.write_bytes(data)
        self.assertEqual(self.sync().returncode, 0)
        self.check_stored(run.id, "x", range(3000), list(range(3000)))

    def test_a_truncated_segment_costs_its_tail(self):
        run = self.spool(3000, segment_bytes=30_000)
        path = segment_paths(self.root)[1]
        os.truncate(path, path.stat().st_size // 2 + 3)
        self.assertEqual(self.sync().returncode, 0)
        (series,) = answer = self.client().query(run.id, "x")
        ((names, rank, first, end),) = answer.lost
        self.assertEqual(list(series.steps), [*range(first), *range(end, 3000)])

    def test_lost_segments_are_lost_ranges(self):
        run = self.spool(3000, segment_bytes=30_000)
        paths = segment_paths(self.root)
        paths[0].unlink()
        paths[-1].unlink()
        self.assertEqual(self.sync().returncode, 0)
        (series,) = answer = self.client().query(run.id, "x")
        first = int(series.steps[0])
        self.assertEqual(answer.lost, [(["x"], 0, 0, first)])
        self.assertEqual(list(series.values), list(range(first, int(series.steps[-1]) + 1)))

    def test_many_lanes_that_lost_a_segment_are_told_at_once(self):
        run = self.offline(segment_bytes=20_000)
        for i in range(1500):
            run.log({f"a{i % 20}": i}, step=i)
        run.log({"early": 1}, step=0)
        early = len(segment_paths(self.root))  # the segment that has it
        for i in range(1500, 3000):
            run.log({f"a{i % 20}": i}, step=i)
        run.finish()
        paths = segment_paths(self.root)
        paths[early - 1].unlink()
        done = self.sync()
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("rows are lost"), 1, done.stderr)
        answer = self.client().query(run.id, [f"a{i}" for i in range(20)])
        left = sum(len(series.steps) for series in answer)
        self.assertEqual({names[0] for names, *_ in answer.lost}, {f"a{i}" for i in range(20)})
        self.assertEqual(sum(end - first for _, _, first, end in answer.lost), 3000 - left)
        # Of the lane that nothing comes behind, the run itself says so.
        self.assertEqual(self.client().run(run.id).tags["waterflow.lost_last_rows.rank0"], "1")

    def test_rows_that_the_disk_did_not_take_are_a_lost_range(self):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        run = self.offline()
        for i in range(30):
            if 10 <= i < 20 or i >= 25:
                with mock.patch.object(spool_stream, "_write", full):
                    run.log({"x": i}, step=i)
            else:
                run.log({"x": i}, step=i)
        run.finish()
        self.assertEqual(self.sync().returncode, 0)
        kept = [*range(10), *range(20, 25)]
        self.check_stored(run.id, "x", kept, kept, [(["x"], 0, 10, 20)])
        self.assertEqual(self.client().run(run.id).tags["waterflow.lost_last_rows.rank0"], "5")

    def test_a_spool_of_a_later_version_is_left_alone(self):
        self.spool(5)
        (path,) = segment_paths(self.root)
        said = header(self.root)
        said["version"] = spool_format.VERSION + 1
        path.write_bytes(spool_format.json_record(spool_format.HEADER, said))
        done = self.sync()
        self.assertEqual(done.returncode, 1)
        self.assertIn("version 2", done.stderr)
        self.assertTrue(path.exists())


if __name__ == "__main__":
    unittest.main()
