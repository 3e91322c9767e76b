"""Metrics of the machine and of its trainers: taken by the sender, delivered like any others."""

import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from support import DEADLINE, DeliveryTest
from waterflow.sender import proc

NVML = """
typedef struct { unsigned gpu, memory; } use;
typedef struct { unsigned long long total, free, used; } mem;
static int devices[2];
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = &devices[i]; return i > 1; }
int nvmlDeviceGetUtilizationRates(int *d, use *u) { u->gpu = 40 + (d - devices); return 0; }
int nvmlDeviceGetMemoryInfo(int *d, mem *m) { m->total = 80ull << 30; m->used = 20ull << 30; return 0; }
int nvmlDeviceGetTemperature(int *d, int sensor, unsigned *c) { *c = 61; return sensor; }
int nvmlDeviceGetPowerUsage(int *d, unsigned *mw) { *mw = 250500; return d == devices ? 0 : 3; }
"""


class SystemTest(DeliveryTest):

    def test_ranks_and_their_machine(self):
        code = """
            import time
            run = waterflow.init(project="p", id="sampled", system_seconds=0.5)
            print(run.id, flush=True)
            ballast = bytearray(200_000_000)
            end = time.monotonic() + 4
            step = 0
            while time.monotonic() < end:
                run.log({"x": step}, step=step)
                step += 1
            run.finish(timeout=100)
            """
        ranks = [self.trainer(code, self.server.address, WATERFLOW_RANK=rank) for rank in "01"]
        (run_id,) = {process.communicate(timeout=DEADLINE)[0].strip() for process in ranks}
        self.await_delivery()
        client = self.client()
        self.assertEqual(sorted((w.worker.role, w.worker.rank) for w in client.workers(run_id)),
                         [("", 0), ("", 1), ("system", 0), ("system", 1)])
        def series_of(name):
            return {s.rank: s for s in client.query(run_id, name, role="system", axis="time")
                    if s.role == "system"}
        for rank, memory in series_of("system/process/memory").items():
            self.assertGreater(max(memory.values), 200_000_000)
            self.assertFalse(any(memory.has_step))
        self.assertEqual(set(series_of("system/process/memory")), {0, 1})
        for cpu in series_of("system/process/cpu").values():
            self.assertGreater(max(cpu.values), 5)  # it does nothing but log
            self.assertLess(max(cpu.values), 300)
        # One rank tells of the machine; another goes on when it has ended.
        machine = sorted(series_of("system/cpu").values(), key=lambda s: s.times_ns[0])
        self.assertTrue(machine)
        for before, after in zip(machine, machine[1:]):
            self.assertLess(before.times_ns[-1], after.times_ns[0])
        for cpu in machine:
            self.assertTrue(all(0 <= value <= 120 for value in cpu.values), cpu.values)
        known = {metric.name: metric for metric in client.metrics(run_id)}
        self.assertEqual(known["system/memory"].unit, "bytes")
        self.assertEqual(client.run(run_id).status, 3)  # FINISHED, by the ranks themselves
        (x,) = [s for s in client.query(run_id, "x") if s.rank == 0]
        self.assertEqual(list(x.values), list(range(len(x.values))))

    def test_none_unless_they_are_asked_for(self):
        run = self.online()
        self.await_sender()
        time.sleep(1.5)
        run.finish(timeout=DEADLINE)
        self.await_delivery()
        self.assertEqual(len(self.client().workers(run.id)), 1)


class ProcTest(unittest.TestCase):

    def test_the_machine(self):
        host = proc.Host()
        values = dict(zip(proc.HOST_UNITS, host.values()))
        self.assertEqual(len(values), len(proc.HOST_UNITS))
        self.assertTrue(0 < values["system/memory_share"] < 100)
        self.assertTrue(all(math.isfinite(value) for value in values.values()), values)

    def test_the_writer_of_a_spool_is_told_from_others(self):
        with tempfile.TemporaryDirectory(prefix="waterflow-system-") as folder:
            with open(os.path.join(folder, "1.wfs"), "w"):
                self.assertTrue(proc.is_writer(os.getpid(), folder))
            self.assertFalse(proc.is_writer(os.getpid(), folder))
        self.assertFalse(proc.is_writer(2**22 + 5, folder))


class GpuTest(unittest.TestCase):
    """With a library in place of NVIDIA's that answers as it does."""

    def test_two_gpus_of_which_one_does_not_tell_its_power(self):
        folder = tempfile.TemporaryDirectory(prefix="waterflow-nvml-")
        self.addCleanup(folder.cleanup)
        source = pathlib.Path(folder.name, "nvml.c")
        source.write_text(NVML)
        try:
            subprocess.run(["cc", "-shared", "-fPIC", "-o", source.parent / "libnvidia-ml.so.1",
                            source], check=True)
        except FileNotFoundError:
            self.skipTest("there is no C compiler here")
        out = subprocess.run(
            [sys.executable, "-c", "from waterflow.sender.nvml import Gpus\n"
             "gpus = Gpus()\nprint(list(gpus.units))\nprint(gpus.values())"],
            env={**os.environ, "LD_LIBRARY_PATH": folder.name}, capture_output=True, text=True,
            check=True).stdout.splitlines()
        self.assertIn("'system/gpu1/utilization'", out[0])
        self.assertEqual(out[1], f"[40, {20 << 30}, 25.0, 61, 250.5, "
                                 f"41, {20 << 30}, 25.0, 61, nan]")

    def test_where_there_is_no_such_library(self):
        out = subprocess.run(
            [sys.executable, "-c", "from waterflow.sender import nvml\n"
             "nvml.LIBRARY = 'libno-such-thing.so.1'\n"
             "gpus = nvml.Gpus()\nprint(gpus.units, gpus.values())"],
            capture_output=True, text=True, check=True).stdout
        self.assertEqual(out, "{} []\n")


if __name__ == "__main__":
    unittest.main()
