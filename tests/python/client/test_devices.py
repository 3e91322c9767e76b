"""Numbers that a device has not computed yet are not waited for, and are right all the same."""

import os
import time
import unittest
from unittest import mock

from support import ClientTest
from waterflow import devices


class Gpu:
    """Counts how often somebody waited for it."""

    def __init__(self):
        self.waits = 0
        self.copies = 0


class GpuTensor:
    """Of one element, as torch's on a GPU: reading it waits."""

    class device:
        type = "cuda"

    def __init__(self, gpu, value, elements=1):
        self.gpu = gpu
        self.value = value
        self._elements = elements

    def numel(self):
        return self._elements

    def detach(self):
        return self

    def clone(self):
        self.gpu.copies += 1
        return GpuTensor(self.gpu, self.value)

    def item(self):
        self.gpu.waits += 1
        if self._elements != 1:
            raise ValueError
        return self.value

    def __float__(self):
        return float(self.item())

    def __iadd__(self, more):
        self.value += more
        return self


class DeviceTest(ClientTest):

    def setUp(self):
        super().setUp()
        self.gpu = Gpu()
        patch = mock.patch.object(devices, "are_possible", lambda: True)
        patch.start()
        self.addCleanup(patch.stop)

    def tensor(self, value, **more):
        return GpuTensor(self.gpu, value, **more)

    def test_log_does_not_wait_and_the_next_one_takes_it(self):
        run = self.offline()
        run.log({"loss": self.tensor(0.5), "lr": 0.1}, step=3)
        self.assertEqual((self.gpu.waits, self.rows()), (0, []))
        run.log({"lr": 0.2})
        self.assertEqual(self.rows(), [(3, {"loss": 0.5, "lr": 0.1}), (4, {"lr": 0.2})])

    def test_a_tensor_that_is_changed_in_place_is_logged_as_it_was(self):
        run = self.offline()
        total = self.tensor(0.0)
        for step in range(5):
            total += 1
            run.log({"total": total, "nested": {"total": total}}, step=step)
        run.finish()
        self.assertEqual(self.rows(), [(i, {"total": i + 1.0, "nested/total": i + 1.0})
                                       for i in range(5)])

    def test_commit_false_too(self):
        run = self.offline()
        total = self.tensor(1.0)
        run.log({"total": total}, commit=False)
        total += 1
        run.log({"x": 1.0}, step=7)
        run.finish()
        self.assertEqual(self.rows(), [(7, {"total": 1.0, "x": 1.0})])

    def test_finish_and_the_end_of_the_process_take_what_is_left(self):
        run = self.offline()
        run.log({"loss": self.tensor(0.5)})
        run.finish()
        self.assertEqual(self.rows(), [(0, {"loss": 0.5})])

    def test_what_is_no_single_number_is_left_out_alone(self):
        run = self.offline()
        run.log({"loss": self.tensor(0.5), "many": self.tensor(1.0, elements=3), "x": 1})
        run.finish()
        self.assertEqual(self.rows(), [(0, {"loss": 0.5, "x": 1.0})])

    def test_a_row_of_very_many_waits_once(self):
        run = self.offline()
        run.log({f"m{i}": self.tensor(i) for i in range(100)})
        self.assertEqual(self.gpu.copies, devices.MOST_LATER)
        run.finish()
        self.assertEqual(self.rows(), [(0, {f"m{i}": float(i) for i in range(100)})])

    def test_a_forked_child_leaves_its_parents_rows_to_the_parent(self):
        run = self.offline()
        run.log({"loss": self.tensor(0.5)})
        pid = os.fork()
        if pid == 0:
            run.log({"child": 1.0})
            os._exit(0)
        os.waitpid(pid, 0)
        run.finish()
        self.assertEqual(sorted(str(row) for _, row in self.rows()),
                         ["{'child': 1.0}", "{'loss': 0.5}"])

    def test_plain_rows_keep_their_fast_path(self):
        run = self.offline()
        run.log({"x": 1.0, "y": 2, "z": True})
        with mock.patch.object(run, "_log_slowly", side_effect=AssertionError):
            run.log({"x": 1.0, "y": 2, "z": True})


class JaxTest(ClientTest):
    """JAX computes asynchronously on a CPU, too."""

    def test_log_does_not_wait_for_jax(self):
        try:
            import jax
            import jax.numpy as jnp
        except ImportError:
            self.skipTest("jax is not installed here")

        @jax.jit
        def slow(x):
            return jax.lax.fori_loop(0, 300, lambda _, y: y @ x / 700, x).sum()

        x = jnp.ones((700, 700))
        expected = float(slow(x))
        run = self.offline()
        self.assertTrue(run._may_have_devices)
        begin = time.monotonic()
        loss = slow(x)
        dispatched = time.monotonic() - begin
        run.log({"loss": loss}, step=1)
        logged = time.monotonic() - begin
        is_still_computing = not loss.is_ready()
        float(loss)
        computed = time.monotonic() - begin
        print(f"log() returned after {1e3 * (logged - dispatched):.1f} ms of "
              f"{1e3 * computed:.0f} ms of computing")
        self.assertTrue(is_still_computing)
        run.log({"x": 1})
        self.assertEqual([row for _, row in self.rows()], [{"loss": expected}, {"x": 1.0}])


if __name__ == "__main__":
    unittest.main()
