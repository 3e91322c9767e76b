"""The stand-in for TensorBoard's SummaryWriter: scalars arrive, all else is left out."""

import math
import unittest

import waterflow
from support import ClientTest, header
from waterflow.tensorboard import SummaryWriter


class TensorboardTest(ClientTest):

    def writer(self, **more):
        writer = SummaryWriter(mode="offline", dir=self.root, **more)
        self.addCleanup(waterflow.finish)
        return writer

    def test_scalars(self):
        with self.writer(log_dir="runs/base", comment="-1") as writer:
            writer.add_scalar("loss", 0.5, 3)
            writer.add_scalar("loss", 0.25, global_step=4, walltime=1.5)
            writer.add_scalars("acc", {"top1": 1, "top5": 2}, 4)
            writer.add_scalar("free", math.inf)
            writer.add_hparams({"lr": 0.1}, {"best": 0.25})
            writer.flush()
        self.assertTrue(waterflow.run.is_finished)
        self.assertEqual(self.rows(), [
            (3, {"loss": 0.5}), (4, {"loss": 0.25}), (4, {"acc/top1": 1.0, "acc/top5": 2.0}),
            (5, {"free": math.inf})])
        self.assertEqual(header(self.root)["name"], "base-1")

    def test_what_is_no_scalar_is_left_out(self):
        writer = self.writer()
        for _ in range(2):
            writer.add_histogram("h", [1, 2], 3)
            writer.add_image("i", None)
        writer.close()
        self.assertEqual(self.rows(), [])
        self.assertEqual(len([line for line in self.said if "only scalars" in line]), 2)
        with self.assertRaises(AttributeError):
            writer.no_such_thing

    def test_it_logs_to_the_run_that_is_there(self):
        run = self.offline()
        writer = SummaryWriter("runs/x")
        writer.add_scalar("x", 1, 0)
        writer.close()
        self.assertIs(waterflow.run, run)
        run.log({"y": 2})
        self.assertEqual(self.rows(), [(0, {"x": 1.0}), (1, {"y": 2.0})])


if __name__ == "__main__":
    unittest.main()
