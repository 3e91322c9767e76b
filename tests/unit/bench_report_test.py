"""bench/report rewrites its section of a page and nothing else of it."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

REPORT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "report"
BEGIN = "<!-- bench/report writes from here -->"
END = "<!-- bench/report writes to here -->"


def measure(*values):
    values = list(values)
    middle = sorted(values)[len(values) // 2]
    return {"median": middle, "low": min(values), "high": max(values), "values": values}


def run_of(subject, ns):
    return {
        "shape": "flood64",
        "name": "flood, 64 rows",
        "subject": subject,
        "measures": {
            "samples_per_s": measure(30e6, 33e6, 36e6),
            "server_ns_per_sample": measure(ns, ns, ns),
        },
    }


RUN = {
    "benchmark": "ingest",
    "date": "2026-01-02",
    "machine": "2 x something",
    "workload": "W1",
    "subjects": [{"name": "waterflow", "version": "0.1"}],
    "skipped": [{"what": "mlflow", "why": "not installed: bench/peers/install mlflow"}],
    "measures": [{"key": "rss_bytes_per_stream", "label": "RSS", "unit": "B/stream"}],
    "cells": [
        run_of("sink", 2.0),
        run_of("waterflow", 21.3),
        {
            "shape": "idle",
            "name": "idle streams",
            "subject": "waterflow",
            "measures": {"rss_bytes_per_stream": measure(19000.0)},
        },
    ],
    "targets": [
        {"what": "over the sink", "value": 19.3, "limit": 20, "at": "most", "unit": "ns", "met": True},
        {"what": "throughput", "value": 33e6, "limit": 40e6, "at": "least", "unit": "/s", "met": False},
    ],
}


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.page = self.folder / "performance.md"
        self.run_file = self.folder / "run.json"

    def report(self, page, run):
        self.page.write_text(page)
        self.run_file.write_text(json.dumps(run))
        return subprocess.run(
            [sys.executable, REPORT, self.run_file, "--page", self.page],
            capture_output=True,
            text=True,
        )

    def test_prose_around_the_section_stays(self):
        done = self.report(f"before\n{BEGIN}\nold figures\n{END}\nafter\n", RUN)
        self.assertEqual(done.returncode, 0, done.stderr)
        page = self.page.read_text()
        self.assertTrue(page.startswith(f"before\n{BEGIN}\n"))
        self.assertTrue(page.endswith(f"{END}\nafter\n"))
        self.assertNotIn("old figures", page)

    def test_section_has_medians_spreads_targets_and_what_was_skipped(self):
        self.report(f"{BEGIN}\n{END}\n", RUN)
        page = self.page.read_text()
        self.assertIn("| **flood, 64 rows** | sink | 33 M ± 9% | 2 ± 0% |", page)
        self.assertIn("|  | waterflow | 33 M ± 9% | 21.3 ± 0% |", page)
        self.assertIn("| over the sink | 19.3 ns | ≤ 20 | pass |", page)
        self.assertIn("| throughput | 33 M /s | ≥ 40 M | **miss** |", page)
        self.assertIn("idle streams, waterflow: RSS 19 k B/stream", page)
        self.assertIn("skipped mlflow: not installed: bench/peers/install mlflow", page)
        self.assertIn("![server CPU a sample](performance.svg)", page)

    def test_a_second_time_changes_nothing(self):
        self.report(f"{BEGIN}\n{END}\n", RUN)
        once = self.page.read_text()
        self.report(once, RUN)
        self.assertEqual(self.page.read_text(), once)

    def test_chart_is_an_svg_with_every_subject(self):
        self.report(f"{BEGIN}\n{END}\n", RUN)
        svg = (self.folder / "performance.svg").read_text()
        self.assertIn("<svg", svg)
        for subject in ("sink", "waterflow"):
            self.assertIn(subject, svg)

    def test_a_page_without_marks_is_left_alone(self):
        done = self.report("no marks\n", RUN)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("has no", done.stderr)
        self.assertEqual(self.page.read_text(), "no marks\n")

    def test_another_benchmark_is_refused(self):
        done = self.report(f"{BEGIN}\n{END}\n", {"benchmark": "other"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("is not of scripts/bench ingest", done.stderr)

    def test_the_page_of_the_project_has_the_marks(self):
        page = (REPORT.parent.parent / "docs" / "performance.md").read_text()
        self.assertLess(page.index(BEGIN), page.index(END))


if __name__ == "__main__":
    unittest.main()
