"""From the spool to the server: a run arrives with all that was said of it, every row once and bit
for bit, and is read back."""

import math
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import unittest

import grpc
import numpy as np

from support import DEADLINE, DeliveryTest, segment_paths
from waterflow.sender_start import is_running


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

    def test_odd_values_arrive_as_they_are(self):
        """What other clients refuse, drop, rename or change, from log() to an answer."""
        longest = "\u00e9" * 256
        kept = {
            "nan": math.nan, "inf": math.inf, "-inf": -math.inf, "f32": np.float32(0.1),
            "i64": np.int64(2**53), "bool": np.bool_(True), "zero_d": np.array(2.5),
            "one": np.array([3.5]), "huge": 10**30, "a b/c:d|\u00e9 \U0001f600": 1, 7: 2,
            longest: 3, "n": {"x": {"y": 4}}}
        expected = {**kept, "n/x/y": 4, "7": 2}
        del expected["n"], expected[7]
        run = self.online()
        run.log({**kept, "three": np.arange(3), "none": None, "text": "oops"}, step=5)
        for step in (5, 3, -5, 2**62):
            run.log({"twice": step}, step=step)
        run.log({"twice": 0.5}, step=501.5)
        run.log({"twice": 1.0})
        run.log({f"m/{i}": i for i in range(5000)})
        run.finish(timeout=DEADLINE)
        for name, value in expected.items():
            self.check_stored(run.id, name, [5], [float(np.asarray(value).item())])
        (twice,) = self.client().query(run.id, "twice", axis="time")
        self.assertEqual([step if has else None for step, has in zip(twice.steps, twice.has_step)],
                         [5, 3, -5, 2**62, None, 2**62 + 1])
        names = {metric.name for metric in self.client().metrics(run.id)}
        self.assertEqual(names, {*expected, "twice", *(f"m/{i}" for i in range(5000))})

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

    def test_what_the_server_rejects_does_not_hold_up_the_rest(self):
        run = self.online()
        run._writer.row(("bad\nname",), 1, 0, 1, [1.0])  # log() would not let it through
        for i in range(100):
            run.log({"x": i}, step=i)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.check_stored(run.id, "x", range(100), list(range(100)))
        self.assertIn("control character",
                      self.client().run(run.id).tags["waterflow.rejected.rank0"])

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
        ids = self.run_twice_at_once(code)
        self.await_delivery()
        for run_id in ids:
            self.check_stored(run_id, "x", range(100), list(range(100)))

    def test_the_sender_keeps_nothing_open_of_the_trainer(self):
        process = self.trainer("""
            import os, sys
            run = waterflow.init()
            print(run.id, flush=True)
            """, self.server.address)
        self.assertTrue(process.communicate(timeout=DEADLINE)[0])  # to the end of its stdout
        read, write = os.pipe()
        os.set_inheritable(write, True)
        run = self.online()
        self.await_sender()
        run.finish(timeout=DEADLINE)
        os.close(write)
        self.assertEqual(os.read(read, 1), b"")  # nobody else holds the other end
        os.close(read)

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
