"""One stream's spool: a folder of segments that only grow. docs/spool.md is the format.

A record is one os.write to a file opened with O_APPEND: when it returns, the row is in the
kernel's page cache and outlives the process. Nothing here is guarded against two threads;
SpoolWriter does that.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from typing import Any, Callable, Iterable, Optional, Sequence

from waterflow import notices, spool_format

_write = os.write
_crc32 = zlib.crc32
_pack_crc = spool_format.CRC.pack

RETRY_NS = 1_000_000_000  # how soon a segment is tried again after the disk refused one


class Lane:
    """The rows of one schema. `row` is the number of the next one."""

    __slots__ = ("schema", "names", "row", "segment", "length", "pack", "is_wide")

    def __init__(self, schema: int, names: tuple[str, ...], is_wide: bool) -> None:
        self.schema = schema
        self.names = names
        self.is_wide = is_wide  # its rows are sparse
        self.row = 0
        self.segment = 0  # the last one that has the schema
        self.length = spool_format.AXES.size + 8 * len(names)
        self.pack = spool_format.row_struct(len(names)).pack


class SpoolStream:
    """Never raises for a disk that refuses: rows are counted in `lost`, and their numbers stay
    out, so that the server hears of the gap."""

    def __init__(
        self, root: str, describe: Callable[[], dict[str, Any]], segment_bytes: int
    ) -> None:
        self.id = os.urandom(16).hex()
        started = time.time_ns()
        self.folder = os.path.join(
            root, f"{os.uname().nodename}.{os.getpid()}.{started:x}.{self.id[:8]}"
        )
        self.lanes: dict[tuple[str, ...], Lane] = {}
        self.wide: dict[str, int] = {}  # names of the newest wide lane, and their places
        self.lost = 0
        self.busy = False  # a write has begun and not ended; see SpoolWriter
        self._describe = describe
        self._segment_bytes = segment_bytes
        self._segment = 0
        self._size = 0
        self._old_bytes = 0  # of the segments before
        self._fd = -1
        self._retry_at = 0

    def lane(self, names: tuple[str, ...], is_wide: bool = False) -> Lane:
        lane = self.lanes.get(names)
        if lane is None:
            lane = self.lanes[names] = Lane(len(self.lanes) + 1, names, is_wide)
        return lane

    def row(self, lane: Lane, flags: int, step: int, time_ns: int, values: Iterable[Any]) -> None:
        """A value for each metric of the lane; struct.error if one is no number."""
        data = lane.pack(
            spool_format.MAGIC, spool_format.ROW, flags, lane.length,
            lane.schema, lane.row, step, time_ns, *values,
        )  # fmt: skip
        data += _pack_crc(_crc32(data))
        if lane.segment != self._segment or self._size > self._segment_bytes or self._fd < 0:
            self._append(data, lane)
        else:
            try:
                written = _write(self._fd, data)
            except OSError as error:
                self._refused(error)
                self.lost += 1
            else:
                self._size += written
                if written != len(data):
                    self.close()
                    self._append(data, lane)
        lane.row += 1

    def sparse_row(
        self, lane: Lane, flags: int, step: int, time_ns: int, metrics: list[int],
        values: Sequence[float],
    ) -> None:  # fmt: skip
        """Values of some metrics of the lane, by their places in it."""
        self._append(
            spool_format.sparse_record(
                lane.schema, lane.row, flags, step, time_ns, metrics, values
            ),
            lane,
        )
        lane.row += 1

    def rows(
        self, lane: Lane, flags: int, steps: Sequence[int], times: Sequence[int],
        columns: Sequence[Sequence[float]],
    ) -> None:  # fmt: skip
        """Many rows; as many records a write as make it about 256 KiB."""
        record_bytes = spool_format.RECORD.size + lane.length + 4
        at_once = max(1, (1 << 18) // record_bytes)
        for first in range(0, len(steps), at_once):
            parts: list[bytes] = []
            for i in range(first, min(first + at_once, len(steps))):
                data = lane.pack(
                    spool_format.MAGIC, spool_format.ROW, flags, lane.length, lane.schema,
                    lane.row + i - first, steps[i], times[i], *[c[i] for c in columns],
                )  # fmt: skip
                parts += data, _pack_crc(_crc32(data))
            count = len(parts) // 2
            self._append(b"".join(parts), lane, count)
            lane.row += count

    def control(self, kind: int, content: dict[str, Any]) -> None:
        self._append(spool_format.json_record(kind, content), None)

    def ended(self, status: Optional[str]) -> None:
        """The last record: from here on the sender may remove the folder."""
        if self._segment == 0:
            return
        lanes = {str(lane.schema): lane.row for lane in self.lanes.values()}
        self.control(spool_format.END, {"status": status, "lanes": lanes, "lost": self.lost})
        self.close()

    @property
    def spooled_bytes(self) -> int:
        return self._old_bytes + self._size

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def is_removed(self) -> bool:
        """Whether somebody has deleted the segment that is written to."""
        return self._fd >= 0 and os.fstat(self._fd).st_nlink == 0

    # The path of everything but the next row of a known schema.

    def _append(self, data: bytes, lane: Optional[Lane], rows: int = 1) -> None:
        for _ in range(2):
            if self._fd < 0 or self._size > self._segment_bytes:
                if not self._open_segment():
                    break
            whole = data
            if lane is not None and lane.segment != self._segment:
                whole = spool_format.schema_record(lane.schema, lane.row, lane.names) + data
            try:
                written = _write(self._fd, whole)
            except OSError as error:
                self._refused(error)
                break
            self._size += written
            if written == len(whole):
                if lane is not None:
                    lane.segment = self._segment
                return
            # Nothing may follow half a record: all of it goes into the next segment.
            self.close()
        if lane is not None:
            self.lost += rows

    def _open_segment(self) -> bool:
        """Makes the next segment under a name that no reader looks at, locks it, and only then
        gives it its own: who can lock the newest segment knows that the writer is gone."""
        now = time.monotonic_ns()
        if now < self._retry_at:
            return False
        number = self._segment + 1
        temporary = os.path.join(self.folder, f"{number:08d}.new")
        fd = -1
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            fd = os.open(
                temporary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            header = self._header(number)
            if _write(fd, header) != len(header):
                raise OSError("no room for the header of a segment")
            os.rename(temporary, os.path.join(self.folder, spool_format.segment_name(number)))
        except OSError as error:
            self._refused(error)
            if fd >= 0:
                os.close(fd)
            try:
                os.unlink(temporary)
                if self._segment == 0:
                    os.rmdir(self.folder)
            except OSError:
                pass
            self._retry_at = now + RETRY_NS
            return False
        self.close()
        self._old_bytes += self._size
        self._fd, self._segment, self._size = fd, number, len(header)
        return True

    def _header(self, number: int) -> bytes:
        content = {
            "version": spool_format.VERSION,
            "stream": self.id,
            "segment": number,
            "lanes": {str(lane.schema): lane.row for lane in self.lanes.values()},
            "lost": self.lost,
            **self._describe(),
        }
        return spool_format.json_record(spool_format.HEADER, content)

    def _refused(self, error: OSError) -> None:
        notices.warn_once(
            "spool",
            f"the spool {self.folder} takes no rows ({error.strerror or error}); training goes "
            "on, rows are counted as lost until it does",
        )
