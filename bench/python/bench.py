"""What run.log() costs a training process, and what the sender behind it costs the machine.

    scripts/bench python            some 3 minutes
    scripts/bench python --quick    less of everything
    scripts/bench python --peers    some minutes more: other clients in the same run
    scripts/bench python --json F   the same for programs

Each line is a process of its own, on a spool of its own, next to a server of its own.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "client/python"), str(ROOT / "tests/python")]

os.environ["WATERFLOW_SILENT"] = "1"

import clients  # noqa: E402
import waterflow  # noqa: E402
from server import Server  # noqa: E402
from waterflow.sender_start import LOCK_FILE, is_running  # noqa: E402


PEERS_PYTHON = ROOT / "build/python-peers/bin/python"
PEERS_SECONDS = 120  # for one of them to say what it took, its end included


class Bed:
    """A server, a spool root, and a sender that ends with them."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(
            prefix="waterflow-bench-", dir="/var/tmp", ignore_cleanup_errors=True)
        self.root = self._folder.name
        self.server = Server()
        self.environment = {
            **os.environ, "PYTHONPATH": str(ROOT / "client/python"), "WATERFLOW_DIR": self.root,
            "WATERFLOW_SERVER": self.server.address, "WATERFLOW_SILENT": "1"}
        return self

    def __exit__(self, *_):
        while is_running(self.root):
            self.signal_sender(signal.SIGKILL)
            time.sleep(0.02)
        self.server.kill()  # it may be stopped
        with contextlib.suppress(RuntimeError):  # that it was killed
            self.server.stop()
        self._folder.cleanup()

    def trainer(self, kind, *numbers, client="waterflow", **environment):
        python = PEERS_PYTHON if client in clients.PEERS else sys.executable
        command = [python, pathlib.Path(__file__).with_name("trainer.py"), kind, client, *numbers]
        return subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL if client in clients.PEERS else None,
            env={**self.environment, **environment}, start_new_session=True)

    def sender(self):
        while True:
            with contextlib.suppress(FileNotFoundError, ValueError):
                pid = int(pathlib.Path(self.root, LOCK_FILE).read_text())
                if is_running(self.root):
                    return pid
            time.sleep(0.02)

    def signal_sender(self, number):
        with contextlib.suppress(ProcessLookupError, ValueError, FileNotFoundError):
            os.kill(int(pathlib.Path(self.root, LOCK_FILE).read_text()), number)

    def segments(self):
        return list(pathlib.Path(self.root).glob("*/*.wfs"))


def result(process):
    out, _ = process.communicate("go\n")
    return json.loads(out.splitlines()[-1])


def result_of_peer(process):
    """The last line that is JSON; None of one that fails or does not end."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.stdin.write("go\n")
        process.stdin.close()
        process.stdin = None
        process.wait(PEERS_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # with what it has started
    process.wait()
    lines = process.stdout.read().splitlines()
    process.stdout.close()
    return json.loads(next((line for line in reversed(lines) if line[:1] == "{"), "null"))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6


def imports():
    with Bed() as bed:
        many = [result(bed.trainer("import")) for _ in range(5)]
    many.sort(key=lambda one: one["import_ms"])
    return many[2]


def tight(scalars, rows):
    with Bed() as bed:
        return result(bed.trainer("tight", scalars, rows))


def in_steps(scalars, steps, trouble):
    """`trouble` is done to the bed when the trainer is ready."""
    with Bed() as bed:
        process = bed.trainer("steps", scalars, steps)
        process.stdout.readline()
        bed.sender()
        trouble(bed)
        measured = result(process)
        bed.signal_sender(signal.SIGCONT)
        return measured


def peers(rows, steps):
    """Of each client that is installed: the same loops, one after the other."""
    measured = {}
    for client in ("waterflow", *clients.PEERS):
        taken = {}
        for name, arguments in (("import", ("import",)), ("tight 10", ("tight", 10, rows)),
                                ("tight 100", ("tight", 100, rows)),
                                ("steps", ("steps", 100, steps))):
            with Bed() as bed:
                taken[name] = result_of_peer(bed.trainer(*arguments, client=client))
        measured[client] = taken
    return measured


def peers_table(measured):
    def cell(one, form):
        return "-" if one is None else form.format(**one)

    lines = [("client", "log of 10", "log of 100", "in a step", "step slower", "rest longer",
              "import", "memory")]
    for client, taken in measured.items():
        lines.append((
            client, *(cell(taken[name], "{p50_us:.1f} / {p999_us:.0f} us")
                      for name in ("tight 10", "tight 100", "steps")),
            cell(taken["steps"], "{slower:.1%}"), cell(taken["steps"], "{rest_median:.1%}"),
            cell(taken["import"], "{import_ms:.0f} ms"), cell(taken["import"], "{init_mb:.1f} MB")))
    widths = [max(map(len, column)) for column in zip(*lines)]
    print("\nOther clients, offline where they can be; p50 / p99.9; steps of 2 ms that log 100.")
    for line in lines:
        print("  ".join(f"{text:>{width}}" for text, width in zip(line, widths)))


TROUBLES = {
    "server up": lambda bed: None,
    "server killed": lambda bed: bed.server.kill(),
    "server stopped": lambda bed: bed.server.freeze(),
    "sender killed": lambda bed: bed.signal_sender(signal.SIGKILL),
    "sender stopped": lambda bed: bed.signal_sender(signal.SIGSTOP),
}


def sender(ranks, rows):
    """CPU and memory of the sender, and what is left of the spool when all is acked."""
    with Bed() as bed:
        runs = [bed.trainer("tight", 100, rows, RANK=str(rank), WORLD_SIZE=str(ranks),
                            TORCHELASTIC_RUN_ID=bed.root, WATERFLOW_FINISH_SECONDS="0")
                for rank in range(ranks)]
        pid = bed.sender()
        for process in runs:
            result(process)
        logged = ranks * (rows + 300)
        while bed.segments():
            time.sleep(0.05)
        return {"cpu_us_a_row": cpu_seconds(pid) / logged * 1e6, "mb": most_resident_mb(pid),
                "bytes_left": sum(p.stat().st_size for p in bed.segments())}


def spool_bytes():
    with tempfile.TemporaryDirectory() as root:
        run = waterflow.init(mode="offline", dir=root)
        for step in range(5000):
            run.log({f"train/metric_{i}": step + i * 0.1 for i in range(100)}, step=step)
        run.finish()
        size = sum(path.stat().st_size for path in pathlib.Path(root).glob("*/*.wfs"))
    return {"bytes_a_value": size / 500_000}


def freshness(rows):
    """From log() to an answer that has the row."""
    with Bed() as bed:
        run = waterflow.init(dir=bed.root, server=bed.server.address)
        client = waterflow.Client(bed.server.address)
        waits = []
        for step in range(rows + 1):
            start = time.monotonic()
            run.log({"x": step}, step=step)
            while True:
                with contextlib.suppress(Exception):  # not yet known
                    answer = client.query(run.id, "x", steps=(step, step))
                    if answer and len(answer[0].values):
                        break
                time.sleep(0.005)
            waits.append(time.monotonic() - start)
            time.sleep(0.03 * (step % 7))  # so that polls are met at any phase
        run.finish()
        client.close()
    waits = sorted(waits[1:])
    return {"p50_ms": waits[len(waits) // 2] * 1e3, "p99_ms": waits[int(len(waits) * 0.99)] * 1e3}


def table(measured):
    lines = [("what", "figure", "goal")]
    for scalars, goal in ((10, "6 / 100"), (100, "15 / -")):
        one = measured[f"tight {scalars}"]
        lines.append((f"log of {scalars}, back to back, p50 / p99.9",
                      f"{one['p50_us']:.1f} / {one['p999_us']:.0f} us", f"{goal} us"))
    for trouble in TROUBLES:
        one = measured[f"steps, {trouble}"]
        lines.append((f"log of 100 in a {one['step_ms']:.1f} ms step, {trouble}, p50 / p99.9",
                      f"{one['p50_us']:.1f} / {one['p999_us']:.0f} us", "45 / - us"))
        lines.append((f"  the step is slower, mean (median); {trouble}",
                      f"{one['slower']:.1%} ({one['slower_median']:.1%})", "3 %"))
        lines.append((f"  the rest of the step is longer, median; {trouble}",
                      f"{one['rest_median']:.1%}", "1 %"))
    lines += [
        ("import", f"{measured['import']['import_ms']:.0f} ms", "50 ms"),
        ("memory at the first log", f"{measured['import']['init_mb']:.1f} MB", "6 MB"),
        ("sender: CPU a row of 100", f"{measured['sender']['cpu_us_a_row']:.1f} us", "30 us"),
        ("sender: memory, 8 ranks", f"{measured['sender']['mb']:.0f} MB", "80 MB"),
        ("spool: bytes a value before / after the ack",
         f"{measured['spool']['bytes_a_value']:.2f} / {measured['sender']['bytes_left']}", "8.5 / 0"),
        ("from log() to an answer, p50 / p99",
         f"{measured['freshness']['p50_ms']:.0f} / {measured['freshness']['p99_ms']:.0f} ms",
         "- / 1000 ms"),
    ]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for what, figure, goal in lines:
        print(f"{what:{widths[0]}}  {figure:>{widths[1]}}  {goal}")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench python", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    rows, steps = (2000, 600) if options.quick else (20_000, 3000)
    measured = {"import": imports(), "spool": spool_bytes()}
    for scalars in (10, 100):
        measured[f"tight {scalars}"] = tight(scalars, rows)
    for name, trouble in TROUBLES.items():
        measured[f"steps, {name}"] = in_steps(100, steps, trouble)
    measured["sender"] = sender(8, rows // 4)
    measured["freshness"] = freshness(40 if options.quick else 300)
    table(measured)
    if options.peers:
        measured["peers"] = peers(rows // 10, steps // 2)
        peers_table(measured["peers"])
    if options.json:
        options.json.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
