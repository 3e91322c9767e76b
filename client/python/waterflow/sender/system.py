"""Metrics of the machine and of its trainers, taken by the sender, where they cost the trainer
nothing.

They are rows of a spool of the sender's own, which is delivered like any other: a worker of role
"system" for each rank, without steps. The first rank of a run here also tells of the machine.
"""

from __future__ import annotations

import os
import time
from typing import Any, Iterable, Optional

from waterflow.sender import clock
from waterflow.sender.delivery import Delivery
from waterflow.sender.log import log
from waterflow.sender.nvml import Gpus
from waterflow.sender.proc import HOST_UNITS, PROCESS_UNITS, Host, Process, is_writer
from waterflow.spool_stream import SpoolStream

ROLE = "system"
SEGMENT_BYTES = 1 << 20


class Sampler:
    """Of one trainer."""

    def __init__(self, root: str, header: dict[str, Any], is_process_here: bool) -> None:
        units = {**HOST_UNITS, **PROCESS_UNITS}
        self._header = {
            **header, "role": ROLE, "world_size": 0, "is_child": True, "system_seconds": 0,
            "pid": os.getpid(), "params": {}, "tags": {}, "resume_step": None,
            "metrics": {name: {"unit": unit} for name, unit in units.items() if unit},
        }  # fmt: skip
        self.run_id = header["run_id"]
        self.seconds = header["system_seconds"]
        self.next_at = clock.now() + self.seconds  # rates are of the time between two
        self._stream = SpoolStream(root, lambda: self._header, SEGMENT_BYTES)
        self._process: Optional[Process] = Process(header["pid"]) if is_process_here else None

    def sample(self, machine: Optional[Machine]) -> None:
        now = time.time_ns()
        if self._process is not None:
            try:
                values = self._process.values()
            except OSError:
                self._process = None
            else:
                self._stream.row(self._stream.lane(tuple(PROCESS_UNITS)), 0, 0, now, values)
        if machine is not None:
            self._header["metrics"].update(machine.known)
            self._stream.row(self._stream.lane(machine.names), 0, 0, now, machine.values())

    def end(self) -> None:
        self._stream.ended(None)


class Machine:
    def __init__(self) -> None:
        self._host = Host()
        self._gpus = Gpus()
        self.names = (*HOST_UNITS, *self._gpus.units)
        self.known = {name: {"unit": unit} for name, unit in self._gpus.units.items()}

    def values(self) -> list[float]:
        return [*self._host.values(), *self._gpus.values()]


class System:
    """All samplers of a sender."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._samplers: dict[str, Sampler] = {}
        self._machines: dict[str, Machine] = {}  # of each run, for each has rates of its own

    def step(self, deliveries: Iterable[Delivery]) -> None:
        """Often: begins, samples and ends what is due."""
        alive = {d.folder: d.header for d in deliveries if d.header and _is_wanted(d)}
        for folder, header in alive.items():
            if folder not in self._samplers:
                is_here = is_writer(header["pid"], folder)
                self._samplers[folder] = Sampler(self._root, header, is_here)
        for folder in self._samplers.keys() - alive.keys():
            self._samplers.pop(folder).end()
        runs = {sampler.run_id for sampler in self._samplers.values()}
        for run_id in self._machines.keys() - runs:
            del self._machines[run_id]
        for sampler in self._samplers.values():
            machine = None
            if sampler.run_id in runs:
                runs.remove(sampler.run_id)  # the first one
                machine = self._machines.get(sampler.run_id)
                if machine is None:
                    machine = self._machines[sampler.run_id] = Machine()
            if clock.now() >= sampler.next_at:
                sampler.next_at = clock.now() + sampler.seconds
                try:
                    sampler.sample(machine)
                except Exception as error:  # of a kernel that tells less
                    log(f"no system metrics: {error!r}")
                    sampler.next_at = float("inf")

    def end(self) -> None:
        for sampler in self._samplers.values():
            sampler.end()


def _is_wanted(delivery: Delivery) -> bool:
    header = delivery.header or {}
    seconds = header.get("system_seconds") or 0
    return seconds > 0 and not header["is_child"] and delivery.has_writer()
