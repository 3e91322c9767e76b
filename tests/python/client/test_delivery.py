"""From the spool to the server: every row whose log() returned is there once, bit for bit, whoever
is killed, stopped or not there meanwhile."""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

import grpc

import waterflow
from server import Server
from support import DEADLINE, ClientTest, eventually, header, segment_paths
from waterflow import spool_format
from waterflow.sender.room import make_room
from waterflow.sender_start import is_running

# Logs steps 0, 1, ... with values that have no short decimal form; says how far it is.
ENDLESS = """
    import math
    run = waterflow.init(segment_bytes=20_000)
    print(run.id, flush=True)
    step = 0
    while True:
        run.log({"x": math.sin(step), "y": step}, step=step)
        print(step, flush=True)
        step += 1
        import time; time.sleep(0.001)
    """


def bits(values):
    return struct.pack(f"<{len(values)}d", *values)


class DeliveryTest(ClientTest):

    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.addCleanup(self.end_sender)  # before the server

    def client(self):
        client = waterflow.Client(self.server.address)
        self.addCleanup(client.close)
        return client

    def online(self, **more):
        run = waterflow.init(dir=self.root, server=self.server.address, **more)
        self.addCleanup(run.finish)
        return run

    def await_delivery(self):
        try:
            eventually(self.is_delivered, "delivery")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.sender_log()}") from None

    def check_stored(self, run_id, metric, steps, values, lost=()):
        answer = self.client().query(run_id, metric)
        self.assertTrue(answer.exact)
        self.assertEqual(answer.lost, list(lost))
        self.assertEqual([list(series.steps) for series in answer], [list(steps)])
        self.assertEqual(bits(answer[0].values), bits(values))

    def check_counted(self, run_id, count):
        """What ENDLESS has logged up to `count` rows."""
        import math
        self.check_stored(run_id, "x", range(count), [math.sin(step) for step in range(count)])
        self.check_stored(run_id, "y", range(count), list(range(count)))

    def read_up_to(self, process, step):
        for line in process.stdout:
            if int(line) >= step:
                return

    def rows_of_killed(self, process):
        """Kills the trainer. Every row that it said is there, and one more at most."""
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")
        process.wait()
        return [int(line) for line in rest[:-1]]


class HappyTest(DeliveryTest):

    def test_a_run_arrives_with_all_that_was_said_of_it(self):
        run = self.online(project="p", name="n", config={"lr": 0.1}, tags=["t"], group="g")
        run.define_metric("loss", goal="minimize", reduce="max", unit="nats")
        for i in range(1000):
            run.log({"loss": 1 / (1 + i), "acc": i})
        run.log({"val/loss": 0.5}, step=77)
        run.define_metric("acc", goal="maximize")
        run.config.depth = 3
        run.summary["best"] = 0.25
        run.finish(timeout=DEADLINE)
        self.assertTrue(self.is_delivered())
        self.check_stored(run.id, "loss", range(1000), [1 / (1 + i) for i in range(1000)])
        self.check_stored(run.id, "val/loss", [77], [0.5])
        stored = self.client().run(run.id)
        self.assertEqual((stored.project, stored.name, stored.row_count), ("p", "n", 1001))
        self.assertEqual(stored.status, 3)  # FINISHED
        params = {k: v for k, v in stored.params.items() if not k.startswith("waterflow.")}
        self.assertEqual(params, {"lr": "0.1", "depth": "3"})
        self.assertEqual(dict(stored.tags), {"t": "", "group": "g", "summary.best": "0.25"})
        known = {metric.name: metric for metric in self.client().metrics(run.id)}
        self.assertEqual((known["loss"].goal, known["loss"].reduction, known["loss"].unit),
                         (1, 4, "nats"))
        self.assertEqual(known["acc"].goal, 2)

    def test_every_bit_pattern_arrives(self):
        rng = random.Random(5)
        values = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(3000)]
        values += [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324]
        run = self.online()
        for i, value in enumerate(values):
            run.log({"a": value, "b": 1.0}, step=i)
        run.finish(timeout=DEADLINE)
        self.check_stored(run.id, "a", range(len(values)), values)

    def test_rows_with_and_without_steps_and_of_many_schemas(self):
        run = self.online()
        for i in range(300):
            run.log({f"m/{i % 150}": i, "all": i}, step=i if i % 3 else 0.5)
        run.finish(timeout=DEADLINE)
        (all_rows,) = self.client().query(run.id, "all", axis="time")
        self.assertEqual(sorted(all_rows.values), list(range(300)))
        self.assertEqual(sum(all_rows.has_step), 200)
        (one,) = self.client().query(run.id, "m/100", axis="time")
        self.assertEqual(list(one.values), [100, 250])

    def test_ranks_join_one_run_without_a_word(self):
        code = """
            run = waterflow.init(project="ranks", config={"lr": 1})
            for i in range(200):
                run.log({"loss": i + run.rank}, step=i)
            run.finish(timeout=100)
            print(run.id)
            """
        ranks = [self.trainer(code, self.server.address, RANK=str(rank), WORLD_SIZE="4",
                              TORCHELASTIC_RUN_ID="job") for rank in range(4)]
        ids = {process.communicate(timeout=DEADLINE)[0].strip() for process in ranks}
        self.assertEqual(len(ids), 1)
        (run_id,) = ids
        self.await_delivery()
        answer = self.client().query(run_id, "loss")
        self.assertEqual([series.rank for series in answer], [0, 1, 2, 3])
        for rank, series in enumerate(answer):
            self.assertEqual(list(series.values), [i + rank for i in range(200)])
        self.assertEqual([w.world_size for w in self.client().workers(run_id)], [4] * 4)
        self.assertEqual(len(self.client().runs("ranks")), 1)

    def test_a_forked_child_is_another_stream_of_the_same_worker(self):
        run = self.online()
        for i in range(100):
            run.log({"x": i}, step=i)
        pid = os.fork()
        if pid == 0:
            for i in range(100, 200):
                run.log({"x": i}, step=i)
            os._exit(0)
        os.waitpid(pid, 0)
        for i in range(200, 300):
            run.log({"x": i}, step=i)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(300), list(range(300)))

    def test_two_trainers_of_one_name_are_two_runs(self):
        code = """
            run = waterflow.init(project="p", name="same")
            for i in range(100):
                run.log({"x": i}, step=i)
            run.finish(timeout=100)
            print(run.id)
            """
        both = [self.trainer(code, self.server.address) for _ in range(2)]
        ids = {process.communicate(timeout=DEADLINE)[0].strip() for process in both}
        self.assertEqual(len(ids), 2)
        self.await_delivery()
        for run_id in ids:
            self.check_stored(run_id, "x", range(100), list(range(100)))

    def test_the_sender_ends_when_it_is_idle(self):
        process = subprocess.run(
            [sys.executable, "-B", "-m", "waterflow.sender", "--root", self.root,
             "--idle-seconds", "0.1"], timeout=DEADLINE, capture_output=True)
        self.assertEqual(process.returncode, 0)
        self.assertFalse(is_running(self.root))


class ResumeTest(DeliveryTest):

    def log(self, steps, value, **more):
        run = self.online(id="job", **more)
        for step in steps:
            run.log({"x": value}, step=step)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        return run

    def test_a_resumed_run_hides_what_it_does_again(self):
        self.log(range(10), 1)
        run = self.log(range(6, 12), 2, resume="allow")
        self.check_stored(run.id, "x", range(12), [1.0] * 6 + [2.0] * 6)
        self.assertEqual(self.client().run(run.id).attempt, 2)
        run = self.log(range(11, 13), 3, resume="must", resume_step=8)
        self.check_stored(run.id, "x", [*range(8), 11, 12], [1.0] * 6 + [2.0] * 2 + [3.0] * 2)

    def test_an_attempt_may_be_given(self):
        self.log(range(4), 1)
        run = self.log(range(2, 4), 2, attempt=7)
        self.check_stored(run.id, "x", range(4), [1.0, 1.0, 2.0, 2.0])

    def test_must_and_never_are_refused_by_the_sender(self):
        run = self.online(id="job", resume="must")
        run.log({"x": 1})
        run.finish(timeout=DEADLINE)
        self.assertTrue(any("there is no run" in line for line in self.said), self.said)
        shutil.rmtree(pathlib.Path(segment_paths(self.root)[0]).parent)
        self.log(range(2), 1)
        run = self.online(id="job", resume="never")
        run.log({"x": 2})
        run.finish(timeout=DEADLINE)
        self.assertTrue(any("exists already" in line for line in self.said), self.said)
        self.check_stored(run.id, "x", range(2), [1.0, 1.0])


class KillTest(DeliveryTest):

    def test_the_trainer_is_killed(self):
        process = self.trainer(ENDLESS, self.server.address)
        run_id = process.stdout.readline().strip()
        self.read_up_to(process, 500)
        count = self.rows_of_killed(process)[-1:] or [500]
        self.await_delivery()
        stored = len(self.client().query(run_id, "x")[0].steps)
        self.assertIn(stored - (count[0] + 1), (0, 1))
        self.check_counted(run_id, stored)

    def test_trainer_and_sender_are_killed_at_once(self):
        process = self.trainer(ENDLESS, self.server.address)
        run_id = process.stdout.readline().strip()
        self.read_up_to(process, 500)
        sender = self.await_sender()
        os.kill(sender, signal.SIGKILL)
        count = self.rows_of_killed(process)[-1:] or [500]
        # The next trainer on this machine brings a sender, and so the rows.
        self.online().finish(timeout=DEADLINE)
        self.await_delivery()
        stored = len(self.client().query(run_id, "x")[0].steps)
        self.assertIn(stored - (count[0] + 1), (0, 1))
        self.check_counted(run_id, stored)

    def test_the_sender_is_killed_over_and_over(self):
        run = self.online(segment_bytes=20_000)
        step = 0
        for _ in range(8):
            sender = self.await_sender()
            for _ in range(300):
                run.log({"x": step}, step=step)
                step += 1
            os.kill(sender, signal.SIGKILL)
            eventually(lambda: not is_running(self.root), "the end of the sender")
            run._check_at = 0  # some seconds later
            run.log({"x": step}, step=step)
            step += 1
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(step), list(range(step)))

    def test_a_stopped_sender_is_not_felt(self):
        run = self.online()
        sender = self.await_sender()
        os.kill(sender, signal.SIGSTOP)
        for i in range(2000):
            run.log({"x": i}, step=i)
        run.finish(timeout=0.2)
        self.assertTrue(any("the sender goes on" in line for line in self.said))
        os.kill(sender, signal.SIGCONT)
        self.await_delivery()
        self.check_stored(run.id, "x", range(2000), list(range(2000)))

    def test_the_server_is_killed_over_and_over(self):
        process = self.trainer(ENDLESS, self.server.address)
        run_id = process.stdout.readline().strip()
        step = 0
        for _ in range(4):
            step += 300
            self.read_up_to(process, step)
            self.server.kill()
            step += 200
            self.read_up_to(process, step)
            self.server.start(self.server.port)
        count = self.rows_of_killed(process)[-1:] or [step]
        self.await_delivery()
        stored = len(self.client().query(run_id, "x")[0].steps)
        self.assertIn(stored - (count[0] + 1), (0, 1))
        self.check_counted(run_id, stored)

    def test_the_server_hangs_and_is_killed(self):
        run = self.online()
        self.await_sender()
        for i in range(100):
            run.log({"x": i}, step=i)
        eventually(lambda: "of run" in self.sender_log(), "the run")
        self.server.freeze()
        for i in range(100, 5000):
            run.log({"x": i}, step=i)
        time.sleep(0.5)
        self.server.kill()
        self.server.start(self.server.port)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(5000), list(range(5000)))

    def test_all_are_killed_in_loops(self):
        rng = random.Random(7)
        process = self.trainer(ENDLESS, self.server.address)
        run_id = process.stdout.readline().strip()
        step = 0
        for _ in range(6):
            step += 150
            self.read_up_to(process, step)
            if rng.random() < 0.5:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.await_sender(), signal.SIGKILL)
            if rng.random() < 0.5:
                self.server.kill()
                self.server.start(self.server.port)
        count = self.rows_of_killed(process)[-1:] or [step]
        self.online().finish(timeout=DEADLINE)
        self.await_delivery()
        stored = len(self.client().query(run_id, "x")[0].steps)
        self.assertIn(stored - (count[0] + 1), (0, 1))
        self.check_counted(run_id, stored)


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
            [sys.executable, "-B", "-m", "waterflow.sync", self.root + "/nowhere"],
            capture_output=True, text=True)
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

    def test_rows_that_the_disk_did_not_take_are_a_lost_range(self):
        import errno
        from unittest import mock
        from waterflow import spool_stream

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
        self.check_stored(run.id, "x", kept, kept,
                          [(["x"], 0, 10, 20), (["x"], 0, 25, 30)])

    def test_a_spool_above_its_size_loses_its_oldest_rows(self):
        run = self.spool(5000, segment_bytes=20_000)
        before = len(segment_paths(self.root))
        self.assertGreater(make_room(self.root, 100_000), 0)
        self.assertLess(len(segment_paths(self.root)), before)
        self.assertLessEqual(sum(p.stat().st_size for p in segment_paths(self.root)), 100_000)
        self.assertEqual(self.sync().returncode, 0)
        (series,) = answer = self.client().query(run.id, "x")
        first = int(series.steps[0])
        self.assertEqual(list(series.values), list(range(first, 5000)))
        self.assertEqual(answer.lost, [(["x"], 0, 0, first)])

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


class ReadTest(DeliveryTest):

    def test_query(self):
        for rank in (0, 1):
            run = self.online(id="r", project="read", rank=rank)
            for i in range(100):
                run.log({"a": i + rank, "b": -i}, step=i)
            run.finish(timeout=DEADLINE)
        self.await_delivery()
        client = self.client()
        self.assertEqual(len(client.query(run.id, ["a", "b"])), 4)
        (series,) = client.query(run.id, "a", ranks=[1], steps=(10, 12))
        self.assertEqual((series.rank, list(series.values)), (1, [11, 12, 13]))
        (series,) = client.query(run.id, "a", reduce="mean", steps=(None, 1))
        self.assertEqual(list(series.values), [0.5, 1.5])
        (series,) = client.query(run.id, "a", ranks=[0], max_points=4)
        self.assertEqual((list(series.positions), list(series.count)), ([0, 32, 64, 96],
                                                                        [32, 32, 32, 4]))
        self.assertEqual([found.id for found in client.runs("read", "metrics.a > 50")], [run.id])
        with self.assertRaisesRegex(ValueError, "axis is 'x'"):
            client.query(run.id, "a", axis="x")
        with self.assertRaises(grpc.RpcError):
            client.query("f" * 32, "a")


if __name__ == "__main__":
    unittest.main()
