"""docs/python.md and the README: what they show runs, and does what they say."""

import re
import unittest

from server import ROOT
from support import DEADLINE, DeliveryTest


def python_blocks(path):
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / path).read_text(),
                      re.MULTILINE | re.DOTALL)


class DocsTest(DeliveryTest):

    def run_block(self, code):
        return self.run_trainer(code, server=self.server.address,
                                WATERFLOW_FINISH_SECONDS=str(DEADLINE))

    def test_every_example_of_the_manual_runs(self):
        blocks = python_blocks("docs/python.md")
        self.assertGreater(len(blocks), 5)
        for code in blocks:
            with self.subTest(code=code):
                self.run_block(code)
        self.await_delivery()
        runs = {run.name: run for run in self.client().runs("demo")}
        self.assertEqual(runs["base"].params["model.depth"], "4")
        self.assertEqual(runs["values"].status, 3)
        self.assertEqual(sorted(run.worker_count for run in runs.values())[-1], 4)
        resumed = [run for run in runs.values() if run.attempt == 2]
        self.assertEqual(len(resumed), 1)
        (series,) = self.client().query(resumed[0].id, "loss")
        self.assertEqual(list(series.steps), list(range(10)))
        self.assertEqual(self.sender_log().count("refused"), 0)

    def test_the_tutorial(self):
        script = str(ROOT / "client/python/tutorial.py")
        out = self.run_trainer("import subprocess, sys\n"
                               f"sys.exit(subprocess.call([sys.executable, '-B', {script!r}]))",
                               server=self.server.address)
        self.await_delivery()
        self.assertRegex(out, r"(?s)lr-0.1: lr 0.1\n.*loss in ten buckets.*rank 1: \d+ steps")
        (stopped,) = self.client().runs("tutorial", "attributes.run_name LIKE 'two-ranks%'")
        self.assertEqual((stopped.status, stopped.worker_count), (5, 2))  # KILLED
        self.assertEqual(len(self.client().runs("tutorial", "tags.sweep = ''")), 3)

    def test_the_first_example_is_the_same_everywhere(self):
        first = python_blocks("docs/python.md")[0]
        self.assertIn(first.replace("demo", "readme"), python_blocks("README.md"))
        self.assertIn(first, python_blocks("client/python/README.md"))

    def test_the_environment_variables_of_the_manual_are_those_of_the_code(self):
        code = "".join(path.read_text() for path in (ROOT / "client/python").rglob("*.py"))
        known = {f"WATERFLOW_{name}" for name in re.findall(r'choose\(\s*"([A-Z_]+)"', code)}
        known |= {f"WATERFLOW_{name}" for name in re.findall(r'(?:bytes|seconds)_of\(\s*"([A-Z_]+)"', code)}
        known |= set(re.findall(r'"(WATERFLOW_[A-Z_]+)"', code)) - {"WATERFLOW_LOCAL_RANK"}
        said = set(re.findall(r"WATERFLOW_[A-Z_]+", (ROOT / "docs/python.md").read_text()))
        self.assertEqual(known - said, set())
        self.assertEqual(said - known, set())


if __name__ == "__main__":
    unittest.main()
