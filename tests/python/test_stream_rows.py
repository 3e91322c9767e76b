"""The clients of examples/, built and run as examples/README.md says, lose their server in
the middle of the stream: every row that they made is there once, bit for bit."""

import os
import re
import signal
import struct
import subprocess
import threading
import time
import unittest

from server import ROOT, Server
from waterflow.v1 import (admin_pb2, admin_pb2_grpc, query_pb2, query_pb2_grpc, tracking_pb2,
                          tracking_pb2_grpc)

ROWS, ROWS_PER_SECOND = 1500, 500
SECONDS = 840  # for the build, which may have to download, and the run
EXPECTED = {"train/loss": [2.5 / (1 + step / 100) for step in range(ROWS)],
            "train/lr": [1 / (1 + step % 7) for step in range(ROWS)]}

SOURCES = {"python": "python/stream_rows.py", "go": "go/main.go", "java": "java/StreamRows.java",
           "typescript": "typescript/stream_rows.ts"}


def commands(language):
    """The lines that examples/README.md shows under the link to the source."""
    text = (ROOT / "examples/README.md").read_text()
    after = text[text.index(f"]({SOURCES[language]}):"):]
    return re.search(r"^```\n(.*?)^```$", after, re.MULTILINE | re.DOTALL).group(1)


class StreamRowsTest(unittest.TestCase):

    def test_python(self):
        self.check("python")

    def test_go(self):
        self.check("go")

    def test_java(self):
        self.check("java")

    def test_typescript(self):
        self.check("typescript")

    def check(self, language):
        self.assertLess(lines_of_code(SOURCES[language]), 80)
        server = Server()
        self.addCleanup(server.stop)
        script, places = re.subn(r"127\.0\.0\.1:7070 2000 200",
                                 f"{server.address} {ROWS} {ROWS_PER_SECOND}", commands(language))
        self.assertEqual(places, 1)

        with Program(script) as program:
            run = program.wait_for(r"^run ([0-9a-f]{32})$").group(1)
            self.assertEqual(program.wait_for(r"^stream is open, .*: (\d+)$").group(1), "0")
            self.wait_for_rows(server, run, 100)
            # What the client sends now reaches no disk: it has to go out again.
            server.freeze()
            time.sleep(1.5)
            server.kill()
            server.start(server.port)
            program.wait_for(r"^stream broke: ")
            again = program.wait_for(r"^stream is open, .*: (\d+)$").group(1)
            self.assertGreater(int(again), 0)
            for metric, values in EXPECTED.items():
                program.wait_for(f"^{metric}: {ROWS} values, mean {sum(values) / ROWS:.6f}, "
                                 f"last step {ROWS - 1}$")
            self.assertEqual(program.exit_code(), 0, program.output)

        for sealed in (False, True):
            for metric, values in EXPECTED.items():
                with self.subTest(metric=metric, sealed=sealed):
                    self.check_stored(server, run, metric, values)
            admin_pb2_grpc.AdminStub(server.channel).Flush(admin_pb2.FlushRequest())

    def wait_for_rows(self, server, run, rows):
        tracking = tracking_pb2_grpc.TrackingStub(server.channel)
        deadline = time.monotonic() + 60
        while tracking.GetRun(tracking_pb2.GetRunRequest(run_id=run)).run.row_count < rows:
            self.assertLess(time.monotonic(), deadline, "no rows arrive")
            time.sleep(0.02)

    def check_stored(self, server, run, metric, expected):
        steps, times, values = [], [], []
        for answer in query_pb2_grpc.QueryStub(server.channel).Read(
                query_pb2.ReadRequest(run_ids=[run], metrics=[metric])):
            for part in answer.parts:
                steps += part.steps
                times += part.times_ns
                values += part.values
                self.assertFalse(part.time_stamped)  # the client's own times
        self.assertEqual(steps, list(range(ROWS)))
        self.assertEqual(len(times), ROWS)
        self.assertEqual(struct.pack(f"<{len(values)}d", *values),
                         struct.pack(f"<{ROWS}d", *expected))
        self.assertTrue(answer.summary.exact)
        self.assertFalse(answer.summary.lost)


def lines_of_code(source):
    """Without imports, comments and blank lines."""
    text = (ROOT / "examples" / source).read_text()
    text = re.sub(r"^import \(.*?^\)", "", text, flags=re.MULTILINE | re.DOTALL)  # Go
    ignored = re.compile(r"\s*(//|#|/?\*|import |from .* import |$)")
    return sum(not ignored.match(line) for line in text.splitlines())


class Program:
    """A script in a process group of its own, whose output is read line by line."""

    def __init__(self, script):
        self.output = ""
        self._process = subprocess.Popen(
            ["bash", "-ec", script], cwd=ROOT, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._timer = threading.Timer(SECONDS, self._end)
        self._timer.start()

    def wait_for(self, pattern):
        """Reads up to the line that matches, and returns the match."""
        for line in self._process.stdout:
            self.output += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"it ended with {self._process.wait()} and without a line "
                             f"/{pattern}/:\n{self.output}")

    def exit_code(self):
        self.output += self._process.stdout.read()
        return self._process.wait()

    def _end(self):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._timer.cancel()
        self._end()
        self._process.wait()
        self._process.stdout.close()


if __name__ == "__main__":
    unittest.main()
