"""What else goes wrong in the field: servers that are not there or answer with errors, disks that
are full or read-only, clocks that jump, spools of older versions."""

import asyncio
import contextlib
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from fake_server import FailingServer
from support import DEADLINE, DeliveryTest, eventually, segment_paths
from waterflow import trainer_run
from waterflow.sender import clock
from waterflow.sender.service import Service
from waterflow.sender_start import is_running

GOLDEN_SPOOL = pathlib.Path(__file__).with_name("spool_v1.wfs")


class SimulatedTime:
    """Takes the place of the sender's clock: who sleeps an hour wakes up at once, an hour later."""

    def __init__(self):
        self.seconds = 1e6

    def now(self):
        return self.seconds

    async def sleep(self, seconds):
        self.seconds += seconds / max(1, len(asyncio.all_tasks()))  # others sleep as well
        await asyncio.sleep(0.0005)


class OutageTest(DeliveryTest):

    def setUp(self):
        super().setUp()
        self.time = SimulatedTime()

    async def serve(self, until):
        """A sender in this process, in simulated time."""
        with mock.patch.object(clock, "now", self.time.now), \
                mock.patch.object(clock, "sleep", self.time.sleep):
            service = Service(self.root, None, 30.0)
            task = asyncio.ensure_future(service.run())
            while not until() and not task.done():
                await asyncio.sleep(0.001)
            ended = task.done()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return ended

    def test_an_outage_of_an_hour_with_a_trainer(self):
        run = self.without_sender(id="hour")
        run.log({"x": 0}, step=0)
        self.server.kill()
        begun, logged = self.time.seconds, 1

        def hour():
            nonlocal logged
            run.log({"x": logged}, step=logged)
            logged += 1
            return self.time.seconds - begun > 3 * 3600

        stderr = self.capture_log(lambda: self.assertFalse(asyncio.run(self.serve(hour))))
        self.assertLess(stderr.count("\n"), 20, stderr)  # and not a line for each try
        self.server.start(self.server.port)
        run.finish()
        self.assertFalse(asyncio.run(self.serve(self.is_delivered)))
        self.check_stored(run.id, "x", range(logged), list(range(logged)))

    def test_an_outage_that_outlives_the_trainer(self):
        """After an hour without server and trainer the sender ends; the next trainer's sender
        delivers."""
        run = self.without_sender(id="late")
        for step in range(100):
            run.log({"x": step}, step=step)
        run.finish()
        self.server.kill()
        begun = self.time.seconds
        self.capture_log(lambda: self.assertTrue(asyncio.run(self.serve(lambda: False))))
        self.assertGreater(self.time.seconds - begun, 3600)
        self.server.start(self.server.port)
        self.no_sender.stop()
        self.online().finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(100), list(range(100)))

    def without_sender(self, **more):
        self.no_sender = mock.patch.object(trainer_run, "ensure_sender", lambda root: True)
        self.no_sender.start()
        self.addCleanup(self.no_sender.stop)
        return self.online(finish_seconds=0, **more)

    def capture_log(self, action):
        with tempfile.TemporaryFile("w+") as file, contextlib.redirect_stderr(file):
            action()
            file.seek(0)
            return file.read()


class ServerTest(DeliveryTest):

    def test_a_server_that_comes_late(self):
        self.server.kill()
        process = self.trainer("""
            run = waterflow.init(project="late", finish_seconds=100)
            for i in range(1000):
                run.log({"x": i}, step=i)
            print(run.id, flush=True)
            """, self.server.address)
        run_id = process.stdout.readline().strip()
        eventually(lambda: "UNAVAILABLE" in self.sender_log(), "a try")
        self.server.start(self.server.port)
        process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, 0)
        self.await_delivery()
        self.check_stored(run_id, "x", range(1000), list(range(1000)))

    def test_a_server_that_answers_with_errors(self):
        run = self.online(segment_bytes=20_000)
        run.log({"x": 0}, step=0)
        eventually(lambda: "of run" in self.sender_log(), "the run")
        step = 1
        for is_sender_new in (False, True):
            self.server.kill()
            failing = FailingServer(self.server.port)
            if is_sender_new:  # then CreateRun fails, too
                os.kill(self.sender_pid(), signal.SIGKILL)
                eventually(lambda: not is_running(self.root), "the end of the sender")
                run._check_at = 0
            for step in range(step, step + 1500):
                run.log({"x": step}, step=step)
            step += 1
            eventually(lambda: failing.failed >= (4 if is_sender_new else 7), "tries")
            failing.stop()
            self.server.start(self.server.port)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(step), list(range(step)))

    def test_a_server_that_has_forgotten_the_run(self):
        """As one that was restored from a backup of last night."""
        run = self.online()
        run.log({"x": 0}, step=0)
        eventually(lambda: "of run" in self.sender_log(), "the run")
        self.server.kill()
        shutil.rmtree(self.server.data_dir)
        for step in range(1, 100):
            run.log({"x": step}, step=step)
        self.server.start(self.server.port)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        (series,) = answer = self.client().query(run.id, "x")
        first = int(series.steps[0])
        self.assertLessEqual(first, 1)
        self.assertEqual(list(series.values), list(range(first, 100)))
        self.assertEqual(answer.lost, [(["x"], 0, 0, 1)] if first else [])

    def test_a_run_that_was_deleted_is_refused(self):
        run = self.online()
        run.log({"x": 0}, step=0)
        eventually(lambda: "of run" in self.sender_log(), "the run")
        client = self.client()
        eventually(lambda: client.run(run.id).row_count == 1, "the row")
        client._call("Tracking/DeleteRun", "DeleteRunRequest", run_id=run.id)
        for step in range(1, 100):
            run.log({"x": step}, step=step)
        run.finish(timeout=DEADLINE)
        self.assertTrue(any("is refused" in line and "was deleted" in line for line in self.said),
                        self.said)


class ClockTest(DeliveryTest):

    def test_a_clock_that_jumps(self):
        run = self.online(segment_bytes=5000)
        begin, times, now = 1_700_000_000_000_000_000, [], None
        jumps = (0, -10**17, 3 * 10**17, -5, -begin)  # to 1970 at last
        for step in range(1000):
            now = begin + step * 1000 + jumps[step // 200]
            with mock.patch.object(trainer_run, "_time_ns", lambda: now):
                run.log({"x": step}, step=step)
            times.append(now)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(1000), list(range(1000)))
        (series,) = self.client().query(run.id, "x")
        self.assertEqual(list(series.times_ns), times)

    def test_a_clock_that_is_set_back_does_not_keep_the_sender_dead(self):
        run = self.online()
        os.kill(self.await_sender(), signal.SIGKILL)
        eventually(lambda: not is_running(self.root), "the end of the sender")
        an_hour_ago = trainer_run._time_ns() - 3600 * 10**9
        with mock.patch.object(trainer_run, "_time_ns", lambda: an_hour_ago):
            run.log({"x": 1}, step=0)
        self.await_sender()


class DiskTest(DeliveryTest):
    """On a file system of its own, of a megabyte."""

    def setUp(self):
        super().setUp()
        self.disk = tempfile.mkdtemp(prefix="waterflow-disk-")
        self.addCleanup(os.rmdir, self.disk)
        self.mount("-t", "tmpfs", "-o", "size=1m", "waterflow-test")
        self.addCleanup(self.unmount)
        self.root = os.path.join(self.disk, "spool")
        os.mkdir(self.root)
        self.addCleanup(self.end_sender)

    def mount(self, *options):
        done = subprocess.run(["mount", *options, self.disk], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"this needs the right to mount: {done.stderr.strip()}")

    def unmount(self):
        eventually(lambda: subprocess.run(["umount", self.disk], capture_output=True)
                   .returncode == 0, "umount")

    def test_a_full_disk_costs_rows_and_says_which(self):
        os.environ["WATERFLOW_MAX_SPOOL_BYTES"] = str(1 << 40)
        self.addCleanup(os.environ.pop, "WATERFLOW_MAX_SPOOL_BYTES")
        run = self.online(segment_bytes=50_000)
        self.await_sender()
        self.server.kill()
        for step in range(30_000):
            run.log({"x": math.sin(step), "y": step}, step=step)
        self.assertGreater(run.lost_rows, 5000)
        self.assertEqual(len([line for line in self.said if "takes no rows" in line]), 1)
        self.server.start(self.server.port)
        logged = 30_000

        def is_taken():
            nonlocal logged
            run._writer._stream._retry_at = 0  # a second later
            before = run.lost_rows
            run.log({"x": math.sin(logged), "y": logged}, step=logged)
            logged += 1
            return run.lost_rows == before

        # When the sender has delivered, and has closed what it had open.
        eventually(lambda: len(segment_paths(self.root)) < 5 and is_taken(), "room on the disk")
        lost = run.lost_rows
        for step in range(logged, logged + 1000):
            run.log({"x": math.sin(step), "y": step}, step=step)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        (series,) = answer = self.client().query(run.id, "x")
        self.assertEqual(len(set(series.steps)), len(series.steps))
        self.assertEqual(list(series.values), [math.sin(step) for step in series.steps])
        self.assertEqual(list(series.steps)[-1000:], list(range(logged, logged + 1000)))
        self.assertEqual(run.lost_rows, lost)
        self.assertEqual(sum(end - first for _, _, first, end in answer.lost), lost)
        self.assertEqual(len(series.steps), logged + 1000 - lost)

    def test_a_read_only_disk_costs_rows_until_it_is_no_more(self):
        self.mount("-o", "remount,ro")
        run = self.online()
        for step in range(1000):
            run.log({"x": step}, step=step)
        self.assertEqual(run.lost_rows, 1000)
        self.assertTrue(any("Read-only" in line for line in self.said), self.said)
        self.mount("-o", "remount,rw")
        run._writer._stream._retry_at = run._check_at = 0  # seconds later
        for step in range(1000, 1100):
            run.log({"x": step}, step=step)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(1000, 1100), list(range(1000, 1100)),
                          [(["x"], 0, 0, 1000)])


class NameTest(DeliveryTest):

    def test_two_trainers_of_one_name_and_folder_in_one_instant(self):
        """Every name that a spool is made of is the same but the random one and the pid."""
        code = """
            import os, time
            from unittest import mock
            with mock.patch("time.time_ns", lambda: 1_700_000_000_000_000_000), \\
                    mock.patch("os.getpid", lambda: 4711):
                run = waterflow.init(project="p", name="same")
                for i in range(500):
                    run.log({"x": i}, step=i)
            run.finish(timeout=100)
            print(run.id)
            """
        ids = self.run_twice_at_once(code)
        self.await_delivery()
        for run_id in ids:
            self.check_stored(run_id, "x", range(500), list(range(500)))


class UpgradeTest(DeliveryTest):
    """spool_v1.wfs is a segment that the first release has written. It is never made anew."""

    def test_a_spool_of_the_first_release_is_delivered(self):
        folder = pathlib.Path(self.root, "old.1.0.00000000")
        folder.mkdir()
        shutil.copy(GOLDEN_SPOOL, folder / "00000001.wfs")
        done = subprocess.run(
            [sys.executable, "-B", "-m", "waterflow", "sync", self.root, "--server",
             self.server.address], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        run_id = "0123456789abcdef0123456789abcdef"
        self.check_stored(run_id, "loss", range(100), [1 / (1 + i) for i in range(100)])
        self.check_stored(run_id, "spike", [50], [math.inf])
        (wide,) = self.client().query(run_id, "m/69", axis="time")
        self.assertEqual(list(wide.values), [69.0])
        (free,) = self.client().query(run_id, "free", axis="time")
        self.assertEqual((list(free.values), list(free.has_step)), ([-0.0], [False]))
        run = self.client().run(run_id)
        self.assertEqual((run.project, run.name, run.status), ("golden", "first", 4))  # FAILED
        self.assertEqual((run.params["lr"], run.params["depth"], run.tags["kind"]),
                         ("0.1", "3", "old"))
        known = {metric.name: metric for metric in self.client().metrics(run_id)}
        self.assertEqual((known["loss"].goal, known["loss"].unit), (1, "nats"))


if __name__ == "__main__":
    unittest.main()
