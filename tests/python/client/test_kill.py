"""Trainer, sender and server are killed, stopped, or not there: every row whose log() returned is
delivered once, bit for bit."""

import asyncio
import contextlib
import math
import os
import pathlib
import random
import signal
import struct
import time
import unittest

import waterflow
from support import DEADLINE, DeliveryTest, bits, eventually
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


class KillTest(DeliveryTest):

    def check_counted(self, run_id, count):
        """What ENDLESS has logged up to `count` rows."""
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


class EndsTest(DeliveryTest):
    """How trainers end in the field."""

    def test_sigterm_without_a_handler(self):
        process = self.trainer(ENDLESS, self.server.address)
        run_id = process.stdout.readline().strip()
        process.send_signal(signal.SIGTERM)
        steps = [int(line) for line in process.stdout.read().split("\n")[:-1]]
        process.wait()
        self.await_delivery()
        stored = len(self.client().query(run_id, "x")[0].steps) if steps else 0
        self.assertIn(stored - len(steps), (0, 1))

    def test_sigterm_with_a_handler_that_logs_and_leaves(self):
        process = self.trainer("""
            import os, signal
            run = waterflow.init()
            def handler(*_):
                run.log({"last": 1}, step=10**6)
                run.finish("KILLED", timeout=100)
                os._exit(0)
            signal.signal(signal.SIGTERM, handler)
            print(run.id, flush=True)
            step = 0
            while True:
                run.log({"x": step}, step=step)
                step += 1
            """, self.server.address)
        run_id = process.stdout.readline().strip()
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.wait()
        self.await_delivery()
        self.assertEqual(list(self.client().query(run_id, "last")[0].steps), [10**6])
        (series,) = answer = self.client().query(run_id, "x")
        self.assertEqual(list(series.values), list(range(len(series.values))))
        self.assertEqual(answer.lost, [])
        self.assertEqual(self.client().run(run_id).status, 5)  # KILLED

    def test_asyncio(self):
        async def log(run, task):
            for i in range(100):
                run.log({f"t{task}": i}, step=i)
                await asyncio.sleep(0)

        async def train(run):
            await asyncio.gather(*[log(run, task) for task in range(5)])

        run = waterflow.init(dir=self.root, server=self.server.address)
        asyncio.run(train(run))
        run.finish(timeout=DEADLINE)
        for task in range(5):
            self.check_stored(run.id, f"t{task}", range(100), list(range(100)))

    def test_a_notebook(self):
        """A loop that runs, cells that log in it, and one run after the other in one process, some
        of them never finished."""
        async def cells():
            ids = []
            for cell in range(20):
                run = waterflow.init(dir=self.root, server=self.server.address, finish_seconds=0)
                for step in range(50):
                    run.log({"x": cell * step}, step=step)
                    await asyncio.sleep(0)
                ids.append(run.id)
                if cell % 3:
                    run.finish()
            return ids

        ids = asyncio.run(cells())
        for run in list(waterflow._unfinished):
            run.finish()
        self.await_delivery()
        for cell, run_id in enumerate(ids):
            self.check_stored(run_id, "x", range(50), [cell * step for step in range(50)])

    def test_eight_ranks_that_train(self):
        """Each on its data, a hundred metrics a step: losses, weights and gradients."""
        code = """
            import numpy as np
            run = waterflow.init(project="train")
            rng = np.random.default_rng(run.rank)
            features = rng.normal(size=(64, 49))
            labels = features @ np.arange(49) + rng.normal(size=64)
            weights = np.zeros(49)
            with open(f"{run.dir}/rank{run.rank}", "wb") as kept:
                for step in range(300):
                    errors = features @ weights - labels
                    gradient = 2 * features.T @ errors / 64
                    weights -= 0.1 * gradient
                    row = {"loss": np.mean(errors ** 2), "norm": np.linalg.norm(gradient)}
                    row.update({f"weight/{i}": weights[i] for i in range(49)})
                    row.update({f"gradient/{i}": gradient[i] for i in range(49)})
                    run.log(row, step=step)
                    kept.write(np.array(list(row.values())).tobytes())
            run.finish(timeout=100)
            print(run.id, *row)
            """
        ranks = [self.trainer(code, self.server.address, RANK=str(rank), WORLD_SIZE="8",
                              TORCHELASTIC_RUN_ID="eight", OPENBLAS_NUM_THREADS="1")
                 for rank in range(8)]
        (said,) = {process.communicate(timeout=DEADLINE)[0].strip() for process in ranks}
        run_id, *names = said.split()
        self.assertEqual(len(names), 100)
        self.await_delivery()
        answer = self.client().query(run_id, names)
        self.assertEqual((len(answer), answer.exact, answer.lost), (800, True, []))
        kept = [pathlib.Path(self.root, f"rank{rank}").read_bytes() for rank in range(8)]
        for series in answer:
            values = struct.unpack(f"<{100 * 300}d", kept[series.rank])[names.index(series.metric)::100]
            self.assertEqual(list(series.steps), list(range(300)))
            self.assertEqual(bits(list(series.values)), bits(values))
        losses = [series.values for series in answer if series.metric == "loss"]
        self.assertTrue(all(loss[-1] < loss[0] / 100 for loss in losses))


if __name__ == "__main__":
    unittest.main()
