"""waterflow-bench ingest, compare and bench/report, one after the other, with no peer.

usage: bench_command_test.py WATERFLOW_BENCH
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = sys.argv.pop()


class BenchCommandTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def run_ok(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_ingest_then_compare_then_report(self):
        run_file = self.folder / "run.json"
        table = self.run_ok(
            BENCH, "ingest", "--only", "flood64,live4,trace", "--seconds", "1", "--repeat", "1",
            "--subjects", "sink,file,waterflow,mlflow", "--peers", self.folder / "none",
            "--scratch", self.folder, "--json", run_file,
        )  # fmt: skip
        self.assertIn("flood, 64 rows", table)
        self.assertIn("skipped mlflow: not installed: bench/peers/install mlflow", table)

        run = json.loads(run_file.read_text())
        cells = {(cell["shape"], cell["subject"]): cell["measures"] for cell in run["cells"]}
        for shape in ("flood64", "live4", "trace"):
            for subject in ("sink", "file", "waterflow"):
                self.assertGreater(cells[shape, subject]["samples_per_s"]["median"], 0)
        self.assertGreater(cells["disk", "disk"]["fdatasync_p50_ms"]["median"], 0)
        # Every value of the trace is in the store, in fewer bytes than it came in.
        self.assertLess(
            cells["trace", "waterflow"]["disk_bytes_per_sample"]["median"],
            cells["trace", "waterflow"]["wire_bytes_per_sample"]["median"],
        )
        targets = [target["what"] for target in run["targets"]]
        self.assertIn("flood, 64 rows: server CPU over the sink", targets)

        changes = self.run_ok(BENCH, "compare", run_file, run_file)
        self.assertIn("0 of ", changes)

        page = self.folder / "page.md"
        page.write_text(
            "<!-- bench/report writes from here -->\n<!-- bench/report writes to here -->\n"
        )
        self.run_ok(ROOT / "bench" / "report", run_file, "--page", page)
        self.assertIn("**live, 4 connections**", page.read_text())
        # Stores are removed again.
        self.assertEqual(list(self.folder.glob("waterflow-bench-*")), [])

    def test_query(self):
        run_file = self.folder / "query.json"
        table = self.run_ok(
            BENCH, "query", "--only", "one,raw,step,buckets", "--subjects", "waterflow,duckdb",
            "--seconds", "0.1", "--beside", "1", "--peers", self.folder / "none",
            "--scratch", self.folder, "--json", run_file,
        )  # fmt: skip
        self.assertIn("duckdb: not installed: bench/peers/install duckdb", table)
        run = json.loads(run_file.read_text())
        numbers = {answer["question"]: answer["numbers"] for answer in run["answers"]}
        self.assertEqual(numbers, {"one": 400, "raw": 102_400, "step": 1200, "buckets": 38_400})
        self.assertGreater(run["beside"]["tailed_rows"], 0)
        self.assertGreater(run["beside"]["charts"], 0)
        self.assertEqual(list(self.folder.glob("waterflow-*")), [])

    def test_compare_refuses_what_is_no_run(self):
        other = self.folder / "other.json"
        other.write_text("{}")
        done = subprocess.run([BENCH, "compare", other, other], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("other.json", done.stderr)


if __name__ == "__main__":
    unittest.main()
