"""init() and what hangs on it: arguments and environment, ranks and keys, config, tags, the ends of
a run. Nothing here needs a server."""

import argparse
import dataclasses
import os
import subprocess
import sys
import unittest
from unittest import mock

import waterflow
from support import ClientTest, all_records, header, records_of, segment_paths
from waterflow import launcher, settings, spool_format, spool_reader


class InitTest(ClientTest):

    def test_arguments_win_over_the_environment(self):
        environment = {"PROJECT": "p", "NAME": "n", "TAGS": "a,b", "RUN_GROUP": "g", "SERVER": "s:1",
                       "DIR": self.root, "MODE": "offline", "RANK": "3", "WORLD_SIZE": "8"}
        with mock.patch.dict(os.environ, {f"WATERFLOW_{k}": v for k, v in environment.items()}):
            waterflow.init().finish()
            said = header(self.root)
            self.assertEqual(
                [said[k] for k in ("project", "name", "tags", "server", "rank", "world_size")],
                ["p", "n", {"a": "", "b": "", "group": "g"}, "s:1", 3, 8])
            for path in segment_paths(self.root):
                path.unlink()
                path.parent.rmdir()
            waterflow.init("q", name="m", tags={"c": 1}, group="h", server="t:2", rank=4).finish()
            said = header(self.root)
            self.assertEqual([said[k] for k in ("project", "name", "tags", "server", "rank")],
                             ["q", "m", {"c": "1", "group": "h"}, "t:2", 4])

    def test_disabled_does_nothing(self):
        run = waterflow.init(mode="disabled", dir=self.root, config={"lr": 1})
        with run:
            run.log({"x": 1})
            run.log_columns({"x": [1]})
            run.config.lr = 2
            run.summary["x"] = 3
            run.tags = ["a"]
            run.define_metric("x", goal="minimize")
        run.finish()
        self.assertEqual((os.listdir(self.root), run.config.lr), ([], 2))

    def test_a_server_that_is_not_there_is_not_felt(self):
        run = waterflow.init(dir=self.root, server="127.0.0.1:1")
        run.log({"x": 1})
        run.finish(timeout=0.1)
        self.assertEqual(self.rows(), [(0, {"x": 1.0})])
        self.assertTrue(any("the sender goes on" in line for line in self.said))

    def test_a_run_joined_by_name_has_one_id_everywhere(self):
        first, second = (self.offline(id="my run", rank=rank) for rank in (0, 1))
        other = self.offline(id="my run", project="elsewhere")
        self.assertEqual(first.id, second.id)
        self.assertNotEqual(first.id, other.id)
        self.assertRegex(first.id, "^[0-9a-f]{32}$")
        self.assertEqual(self.offline(id="a" * 32).id, "a" * 32)
        self.assertNotEqual(self.offline().id, self.offline().id)

    def test_a_network_file_system_is_not_for_spools(self):
        with mock.patch.object(settings, "file_system", lambda _: "nfs4"):
            self.assertEqual(settings.spool_root(self.root, "online"), settings.online_root())
            self.assertEqual(settings.spool_root(self.root, "offline"), self.root)
        self.assertTrue(any("nfs4" in line for line in self.said))

    def test_the_trainer_imports_the_standard_library_alone(self):
        out = self.run_trainer("""
            import sys
            run = waterflow.init(mode="offline")
            run.log({"x": 1})
            run.finish()
            theirs = {name.split(".")[0] for name in sys.modules}
            print(sorted(theirs & {"grpc", "google", "numpy", "pandas", "asyncio", "subprocess"}))
            print(sorted(name for name in theirs - set(sys.stdlib_module_names) - {"waterflow"}
                         if not name.startswith(("_", "sitecustomize", "usercustomize"))))
            """)
        self.assertEqual(out, "[]\n[]\n")


class LauncherTest(unittest.TestCase):

    def test_every_launcher_is_found(self):
        for environment, expected in (
                ({}, (0, 0, None, 0)),
                ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "job",
                  "TORCHELASTIC_RESTART_COUNT": "2"}, (3, 8, "torchrun-job", 3)),
                ({"SLURM_PROCID": "5", "SLURM_NTASKS": "16", "SLURM_JOB_ID": "77",
                  "SLURM_STEP_ID": "0", "SLURM_CLUSTER_NAME": "c"}, (5, 16, "slurm-c-77-0", 0)),
                ({"SLURM_PROCID": "0", "SLURM_NTASKS": "16", "SLURM_JOB_ID": "77"},
                 (0, 0, None, 0)),  # the batch script, not a task
                ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2",
                  "OMPI_MCA_ess_base_jobid": "9"}, (1, 2, "mpi-9", 0)),
                ({"PMIX_RANK": "1", "PMIX_NAMESPACE": "n"}, (1, 0, "mpi-n", 0)),
                ({"JAX_PROCESS_ID": "2", "JAX_NUM_PROCESSES": "4"}, (2, 4, None, 0)),
                ({"RANK": "1", "WORLD_SIZE": "2", "RAY_JOB_ID": "03"}, (1, 2, "ray-03", 0)),
                ({"JOB_COMPLETION_INDEX": "6"}, (6, 0, None, 0)),
                ({"WATERFLOW_RANK": "9", "RANK": "1"}, (9, 0, None, 0))):
            with self.subTest(environment):
                found = launcher.detect(environment)
                self.assertEqual((found.rank, found.world_size, found.key, found.attempt), expected)

    def test_ranks_of_one_parent_are_one_launch(self):
        code = "from waterflow import launcher; print(launcher.detect().key)"
        keys = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                               env={**os.environ, "RANK": rank, "WORLD_SIZE": "2"}).stdout
                for rank in "01"}
        self.assertEqual(len(keys), 1)
        self.assertRegex(keys.pop(), r"^parent-.*-\d+-\d+$")


class ManyRunsTest(ClientTest):

    def test_the_second_run_of_a_launch_is_another_one(self):
        with mock.patch.dict(os.environ, {"RANK": "0", "TORCHELASTIC_RUN_ID": self.root}):
            first, second = self.offline(), self.offline()
        self.assertNotEqual(first.id, second.id)


class FactsTest(ClientTest):

    def said_of(self, kind):
        """What the spool says in the end."""
        said = dict(header(self.root)[kind])
        for record in records_of(spool_format.UPDATE, self.root):
            said.update(spool_reader.json_of(record).get(kind, {}))
        return said

    def test_config_of_a_dict(self):
        run = self.offline(config={"lr": 0.1, "name": "x", "a": {"b": 1, "c": [1, 2]}, "no": None})
        run.config.update({"lr2": True}, seed=3)
        run.config.depth = 4
        run.config["width"] = 5
        self.assertEqual((run.config.lr, run.config["seed"], run.config.get("z", 9)), (0.1, 3, 9))
        with self.assertRaises(AttributeError):
            run.config.missing
        self.assertEqual(self.said_of("params"), {
            "lr": "0.1", "name": "x", "a.b": "1", "a.c": "[1, 2]", "no": "null", "lr2": "true",
            "seed": "3", "depth": "4", "width": "5"})

    def test_config_of_other_shapes(self):
        @dataclasses.dataclass
        class Inner:
            depth: int = 2

        @dataclasses.dataclass
        class Config:
            lr: float = 0.5
            inner: Inner = dataclasses.field(default_factory=Inner)

        for config, expected in ((argparse.Namespace(lr=1), {"lr": "1"}),
                                 (Config(), {"lr": "0.5", "inner.depth": "2"})):
            run = self.offline(config=config)
            self.assertEqual(run._spec["params"], expected)
        with self.assertRaisesRegex(ValueError, "config is int"):
            self.offline(config=5)

    def test_what_the_server_would_refuse_is_left_out_alone(self):
        run = self.offline(config={"x" * 257: 1, "long": "y" * 8193, "good": 1})
        run.config.update(5)
        self.assertEqual(run._spec["params"], {"good": "1"})
        self.assertEqual(len(self.said), 4)  # and that it is offline

    def test_summary_and_tags(self):
        run = self.offline(tags=["a"], notes="why")
        run.summary["best"] = 0.5
        run.summary.update({"at": {"step": 3}})
        run.tags = {"b": 2}
        self.assertEqual(run.summary["best"], 0.5)
        self.assertEqual(self.said_of("tags"), {"a": "", "notes": "why", "summary.best": "0.5",
                                                "summary.at.step": "3", "b": "2"})

    def test_define_metric(self):
        run = self.offline()
        run.define_metric("val/*", step_metric="epoch", goal="maximize", reduce="max", unit="%")
        run.define_metric("x", goal="up")
        self.assertEqual(self.said_of("metrics"), {
            "val/*": {"step_metric": "epoch", "goal": 2, "reduction": 4, "unit": "%"}})
        self.assertTrue(any("goal is 'up'" in line for line in self.said))


class EndTest(ClientTest):

    def end(self):
        (record,) = records_of(spool_format.END, self.root)
        return spool_reader.json_of(record)

    def test_finish_says_how_it_ended(self):
        for status, expected in ((None, "FINISHED"), ("failed", "FAILED"), (1, "FAILED"),
                                 (0, "FINISHED"), ("KILLED", "KILLED")):
            run = self.offline()
            run.log({"x": 1})
            run.finish(status)
            folder = run._writer.folders[0]
            records, _ = all_records(folder)
            self.assertEqual(spool_reader.json_of(records[-1])["status"], expected)
        with self.assertRaisesRegex(ValueError, "status is 'BAD'"):
            self.offline().finish("bad")

    def test_with_says_how_it_ended(self):
        for error, expected in ((None, "FINISHED"), (ValueError, "FAILED"),
                                (KeyboardInterrupt, "KILLED")):
            try:
                with self.offline() as run:
                    if error:
                        raise error
            except (ValueError, KeyboardInterrupt):
                pass
            records, _ = all_records(run._writer.folders[0])
            self.assertEqual(spool_reader.json_of(records[-1])["status"], expected)

    def test_log_after_finish_is_left_out(self):
        run = self.offline()
        run.finish()
        run.log({"x": 1})
        run.log_columns({"x": [1]})
        run.config.x = 1
        run.finish()
        self.assertEqual(self.rows(), [])

    def test_a_forgotten_run_is_finished_at_exit(self):
        self.run_trainer("waterflow.init(mode='offline').log({'x': 1})")
        self.assertEqual((self.end()["status"], len(self.rows())), ("FINISHED", 1))

    def test_all_forgotten_runs_are_finished_at_exit(self):
        self.run_trainer("for i in range(3): waterflow.init(mode='offline').log({'x': 1})")
        self.assertEqual(len(records_of(spool_format.END, self.root)), 3)

    def test_a_run_that_an_exception_ends_has_failed(self):
        process = self.trainer("waterflow.init(mode='offline'); 1 / 0")
        process.communicate()
        self.assertEqual(self.end()["status"], "FAILED")

    def test_ctrl_c_kills(self):
        process = self.trainer("waterflow.init(mode='offline'); raise KeyboardInterrupt")
        process.communicate()
        self.assertEqual(self.end()["status"], "KILLED")


class WandbTest(ClientTest):

    def test_a_plain_wandb_script_runs(self):
        out = self.run_trainer("""
            import waterflow as wandb
            run = wandb.init(project="p", entity="me", config={"lr": 0.1}, tags=["t"],
                             name="n", group="g", job_type="train", notes="why", reinit=True)
            wandb.config.update({"depth": 3})
            wandb.define_metric("epoch")
            wandb.define_metric("val/*", step_metric="epoch")
            for i in range(3):
                wandb.log({"loss": 1 / (1 + i), "acc": {"top1": i}}, commit=False)
                wandb.log({"epoch": i})
            wandb.summary["best"] = 0.1
            print(wandb.run.name, wandb.config.lr, run.id == wandb.run.id)
            wandb.finish(exit_code=0) if False else wandb.finish()
            """, WATERFLOW_MODE="offline")
        self.assertEqual(out, "n 0.1 True\n")
        self.assertEqual(self.rows()[1], (1, {"loss": 0.5, "acc/top1": 1.0, "epoch": 1.0}))

    def test_the_module_before_init_and_after_finish(self):
        waterflow.finish()
        waterflow.log({"x": 1})
        waterflow.define_metric("x")
        self.assertEqual((waterflow.config, waterflow.run), ({}, None))
        self.assertEqual(len(self.said), 1)


if __name__ == "__main__":
    unittest.main()
