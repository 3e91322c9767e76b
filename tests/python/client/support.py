"""What the tests of the Python client share: a spool root of one's own, trainers in processes of
their own, and an end to every sender that they started."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import struct
import tempfile
import textwrap
import time
import unittest

# Before gRPC is loaded: the tests start processes next to its threads, which its fork handlers
# do not bear (Python 3.9, where subprocess forks).
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import waterflow
from server import Server
from waterflow import notices, spool_format, spool_reader
from waterflow.sender_start import LOCK_FILE, is_running

DEADLINE = 120  # seconds, for what has to happen at last; no test asserts how fast


def eventually(is_so, what):
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"it does not come about in {DEADLINE} s: {what}")
        time.sleep(0.02)


def all_records(folder):
    reader = spool_reader.SpoolReader(folder)
    records = list(reader.records())
    reader.close()
    return records, reader


def all_rows(root):
    """[(step, {name: value})] of all spools of a root, in the order of each."""
    rows = []
    for folder in sorted(pathlib.Path(root).iterdir()):
        if not folder.is_dir():
            continue
        names = {}
        for record in all_records(folder)[0]:
            parsed = spool_reader.parse(record)
            if isinstance(parsed, spool_reader.Schema):
                names[parsed.schema] = parsed.names
            elif isinstance(parsed, spool_reader.Row):
                values = memoryview(parsed.values).cast("d")
                places = parsed.metrics or range(len(values))
                rows.append((parsed.step, {names[parsed.schema][place]: value
                                           for place, value in zip(places, values)}))
    return rows


class ClientTest(unittest.TestCase):
    """self.root is the spool root. Nothing of the environment reaches the client."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="waterflow-client-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.addCleanup(self.end_sender)
        environment = {name: os.environ.pop(name) for name in list(os.environ)
                       if name.startswith("WATERFLOW_") and name != "WATERFLOW_BIN"}
        self.addCleanup(os.environ.update, environment)
        self.said = []
        say, notices.say = notices.say, self.said.append
        self.addCleanup(setattr, notices, "say", say)
        notices._said.clear()

    def offline(self, **more):
        run = waterflow.init(mode="offline", dir=self.root, **more)
        self.addCleanup(run.finish)
        return run

    def rows(self):
        return all_rows(self.root)

    def sender_pid(self):
        try:
            return int(pathlib.Path(self.root, LOCK_FILE).read_text() or 0)
        except FileNotFoundError:
            return 0

    def await_sender(self):
        eventually(lambda: is_running(self.root) and self.sender_pid(), "a sender")
        return self.sender_pid()

    def end_sender(self):
        """SIGKILL, which also ends one that is stopped."""
        while is_running(self.root):
            pid = self.sender_pid()
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def sender_log(self):
        path = pathlib.Path(self.root, "sender.log")
        return path.read_text() if path.exists() else ""

    def is_delivered(self):
        return not any(spool_reader.segments(folder) for folder in pathlib.Path(self.root).iterdir()
                       if folder.is_dir())

    def trainer(self, code, server="127.0.0.1:1", **environment):
        """Starts a Python that runs `code`, its spool in self.root."""
        process = subprocess.Popen(
            [sys.executable, "-B", "-c", "import waterflow\n" + textwrap.dedent(code)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "WATERFLOW_DIR": self.root, "WATERFLOW_SERVER": server,
                 **environment})
        self.addCleanup(self._end_trainer, process)
        return process

    def run_trainer(self, code, **more):
        """Runs it to its end; returns what it printed."""
        process = self.trainer(code, **more)
        out, err = process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, 0, err)
        return out

    @staticmethod
    def _end_trainer(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


class DeliveryTest(ClientTest):

    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.addCleanup(self.end_sender)  # before the server

    def client(self):
        client = waterflow.Client(self.server.address)
        self.addCleanup(client.close)
        return client

    def online(self, **more):
        run = waterflow.init(dir=self.root, server=self.server.address, **more)
        self.addCleanup(run.finish)
        return run

    def run_twice_at_once(self, code):
        """The runs that two trainers of this code made, which are two."""
        both = [self.trainer(code, self.server.address) for _ in range(2)]
        ids = {process.communicate(timeout=DEADLINE)[0].strip() for process in both}
        self.assertEqual(len(ids), 2)
        return ids

    def await_delivery(self):
        try:
            eventually(self.is_delivered, "delivery")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.sender_log()}") from None

    def check_stored(self, run_id, metric, steps, values, lost=()):
        answer = self.client().query(run_id, metric)
        self.assertTrue(answer.exact)
        self.assertEqual(answer.lost, list(lost))
        self.assertEqual([list(series.steps) for series in answer], [list(steps)])
        self.assertEqual(bits(answer[0].values), bits(values))


def bits(values):
    return struct.pack(f"<{len(values)}d", *values)


def segment_paths(root):
    return sorted(pathlib.Path(root).glob("*/*.wfs"))


def records_of(kind, root):
    return [record for folder in pathlib.Path(root).iterdir() if folder.is_dir()
            for record in all_records(folder)[0] if record.kind == kind]


def header(root):
    return spool_reader.json_of(records_of(spool_format.HEADER, root)[0])
