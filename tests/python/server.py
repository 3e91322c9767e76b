"""A waterflowd of the test's own: an ephemeral port, a data directory of its
own, and a way to pull the plug."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("WATERFLOW_BIN", ROOT / "build/release/bin"))


class Server:
    """Starts when made. Keeps its data over kill() and start()."""

    def __init__(self, archive=None):
        """On a copy of the data directory in `archive` (.tar.gz), if it is given."""
        self._folder = tempfile.TemporaryDirectory(prefix="waterflow-python-")
        self.data_dir = pathlib.Path(self._folder.name, "data")
        if archive:
            shutil.unpack_archive(archive, self.data_dir)
        self.start()

    def start(self, port=0):
        port_file = pathlib.Path(self._folder.name, "port")
        port_file.unlink(missing_ok=True)
        self._log = open(pathlib.Path(self._folder.name, "log"), "ab")
        self._process = subprocess.Popen(
            [BIN / "waterflowd", "--listen", f"127.0.0.1:{port}", "--port-file", port_file,
             "--data-dir", self.data_dir],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        while not (port_file.exists() and port_file.read_text().strip()):
            if self._process.poll() is not None:
                raise RuntimeError(f"waterflowd ended with {self._process.returncode}: {self.log()}")
            time.sleep(0.01)
        self.port = int(port_file.read_text())
        self.address = f"127.0.0.1:{self.port}"
        # Channels share what they know of an address, also that nothing answered there.
        self.channel = grpc.insecure_channel(
            self.address, options=[("grpc.use_local_subchannel_pool", 1)])
        grpc.channel_ready_future(self.channel).result(timeout=30)

    def log(self):
        return pathlib.Path(self._folder.name, "log").read_text(errors="replace")

    def freeze(self):
        """Stops the process in its tracks: what clients send waits in its sockets."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self):
        """Ends the process as the kernel would: no goodbye, nothing flushed. Calls that
        are open hear of it from the broken connection."""
        self._end(signal.SIGKILL)

    def stop(self):
        """Ends the process as an operator would, and removes its data."""
        self.channel.close()
        code = self._process.poll()
        if code is None:
            code = self._end(signal.SIGTERM)
        log = self.log()
        self._folder.cleanup()
        if code != 0:
            raise RuntimeError(f"waterflowd ended with {code}, not with 0 on SIGTERM: {log}")

    def _end(self, signal_number):
        self._process.send_signal(signal_number)
        code = self._process.wait(timeout=60)
        self._log.close()
        return code
