"""What Linux says of this machine and of a process: files of /proc."""

from __future__ import annotations

import os
import time

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SECTOR = 512  # /proc/diskstats counts in these, whatever the disk has

HOST_UNITS = {
    "system/cpu": "%", "system/load1": "", "system/memory": "bytes", "system/memory_share": "%",
    "system/disk_read": "bytes/s", "system/disk_written": "bytes/s",
    "system/network_received": "bytes/s", "system/network_sent": "bytes/s",
}  # fmt: skip
PROCESS_UNITS = {
    "system/process/cpu": "%", "system/process/memory": "bytes", "system/process/threads": "",
}  # fmt: skip


class Rate:
    """By how much a count grows in a second. 0 the first time, when it was set back, and over a
    moment that says nothing."""

    def __init__(self) -> None:
        self._count = self._at = float("nan")

    def of(self, count: float) -> float:
        now = time.monotonic()
        grown, seconds = count - self._count, now - self._at
        self._count, self._at = count, now
        return grown / seconds if grown > 0 and seconds > 0.05 else 0.0


class Host:
    """Percent of all processors, averaged since the last time; bytes; bytes a second."""

    def __init__(self) -> None:
        self._rates = [Rate() for _ in range(5)]
        self.values()

    def values(self) -> list[float]:
        """In the order of HOST_UNITS."""
        busy, read, written, received, sent = (
            rate.of(count)
            for rate, count in zip(self._rates, (_busy_seconds(), *_disks(), *_nets()))
        )
        total, available = _memory()
        return [
            100 * busy / (os.cpu_count() or 1), os.getloadavg()[0], total - available,
            100 * (1 - available / total), read, written, received, sent,
        ]  # fmt: skip


class Process:
    """Percent of one processor; bytes that are resident."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._rate = Rate()
        self.values()

    def values(self) -> list[float]:
        """In the order of PROCESS_UNITS. OSError when it is gone."""
        with open(f"/proc/{self._pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        return [100 * self._rate.of(seconds), int(fields[21]) * _PAGE, int(fields[17])]


def is_writer(pid: int, folder: str) -> bool:
    """Whether it is the process that has the spool open: in another container, a process of that
    number may be any."""
    name = os.path.basename(folder)
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if name in os.readlink(f"/proc/{pid}/fd/{fd}"):
                return True
    except OSError:
        pass
    return False


def _lines(path: str) -> list[list[str]]:
    with open(path) as file:
        return [line.split() for line in file]


def _busy_seconds() -> float:
    fields = [int(field) for field in _lines("/proc/stat")[0][1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS  # without idle and iowait


def _memory() -> tuple[float, float]:
    sizes = {line[0]: int(line[1]) * 1024.0 for line in _lines("/proc/meminfo")}
    return sizes["MemTotal:"], sizes["MemAvailable:"]


def _disks() -> tuple[float, float]:
    """Bytes read and written, of whole disks, not of their partitions once more."""
    whole = set(os.listdir("/sys/block")) if os.path.isdir("/sys/block") else set()
    lines = [
        line for line in _lines("/proc/diskstats")
        if line[2] in whole and not line[2].startswith(("loop", "ram", "dm-", "md"))
    ]  # fmt: skip
    return _SECTOR * sum(int(line[5]) for line in lines), _SECTOR * sum(
        int(line[9]) for line in lines
    )


def _nets() -> tuple[float, float]:
    received = sent = 0
    with open("/proc/net/dev") as file:
        for line in file.readlines()[2:]:
            name, _, counts = line.partition(":")
            if name.strip() != "lo":
                fields = counts.split()
                received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent
