"""Reads spools: whatever is whole, and says what is not.

A segment may end in half a record (the writer was killed, or writes just now) and may be
damaged anywhere. After damage the reader goes on at the next record whose checksum holds. It
never takes damage for loss: rows are numbered, so what is lost is what is missing in the end.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import zlib
from typing import Any, Iterator, NamedTuple, Optional

from waterflow import spool_format as form

READ_BYTES = 1 << 20


class Record(NamedTuple):
    kind: int
    flags: int
    payload: bytes


class Row(NamedTuple):
    """`metrics` is None if the row has a value for each metric of its schema; `values` are
    float64s, little-endian."""

    schema: int
    row: int
    step: Optional[int]
    time_ns: int
    metrics: Optional[tuple[int, ...]]
    values: bytes


class Schema(NamedTuple):
    schema: int
    next_row: int
    names: list[str]


class SegmentReader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.damaged_bytes = 0
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._bytes = b""
        self._at = 0

    def close(self) -> None:
        os.close(self._fd)

    def records(self, is_final: bool) -> Iterator[Record]:
        """All whole records that are there now. `is_final`: nothing will be appended, so that
        what is not whole now is damage."""
        while True:
            more = os.read(self._fd, READ_BYTES)
            if more:
                self._bytes = self._bytes[self._at :] + more
                self._at = 0
            yield from self._parse(is_final and not more)
            if not more:
                return

    def _parse(self, is_final: bool) -> Iterator[Record]:
        while self._at < len(self._bytes):
            record, end = _record_at(self._bytes, self._at)
            if record is None:
                begin, self._at = self._at, self._next_whole(self._at, is_final)
                self.damaged_bytes += self._at - begin
                if self._at == begin:
                    return
                continue
            self._at = end
            yield record

    def _next_whole(self, at: int, is_final: bool) -> int:
        """Where the next whole record begins. If there is none yet, `at`; if there never will
        be, the end."""
        begin = at
        while True:
            at = self._bytes.find(form.MAGIC_BYTES, at + 1)
            if at < 0:
                return len(self._bytes) if is_final else begin
            if _record_at(self._bytes, at)[0] is not None:
                return at


def _record_at(data: bytes, at: int) -> tuple[Optional[Record], int]:
    if at + form.RECORD.size > len(data):
        return None, at
    magic, kind, flags, length = form.RECORD.unpack_from(data, at)
    if magic != form.MAGIC or not form.HEADER <= kind <= form.END or length > form.MAX_PAYLOAD:
        return None, at
    begin = at + form.RECORD.size
    end = begin + length
    if end + form.CRC.size > len(data):
        return None, at
    if zlib.crc32(memoryview(data)[at:end]) != form.CRC.unpack_from(data, end)[0]:
        return None, at
    return Record(kind, flags, data[begin:end]), end + form.CRC.size


def parse(record: Record) -> Any:
    """A Row, a Schema, or the JSON of the other kinds; struct.error or ValueError if a payload
    is not what its kind says."""
    if record.kind in (form.ROW, form.SPARSE):
        return _row(record)
    if record.kind == form.SCHEMA:
        schema, row = form.LANE.unpack_from(record.payload)
        return Schema(schema, row, json.loads(record.payload[form.LANE.size :]))
    return json_of(record)


def json_of(record: Record) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record.payload)
    return content


def _row(record: Record) -> Row:
    payload = record.payload
    schema, row, step, time_ns = form.AXES.unpack_from(payload)
    at, metrics = form.AXES.size, None
    if record.kind == form.SPARSE:
        (count,) = form.COUNT.unpack_from(payload, at)
        at += form.COUNT.size
        if len(payload) - at != 12 * count:
            raise ValueError(f"{len(payload) - at} bytes, {count} metrics")
        metrics = struct.unpack_from(f"<{count}I", payload, at)
        at += 4 * count
    has_step = record.flags & form.HAS_STEP
    return Row(schema, row, step if has_step else None, time_ns, metrics, payload[at:])


def segments(folder: str) -> list[int]:
    """Numbers of the segments that are there, ascending."""
    names = (name.split(".") for name in os.listdir(folder))
    return sorted(int(n[0]) for n in names if len(n) == 2 and n[1] == "wfs" and n[0].isdigit())


def has_writer(path: str) -> bool:
    """Whether a process holds the segment open for writing. Only the newest is held for long."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(fd)


class SpoolReader:
    """Reads the segments of one spool one after the other, as they grow."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.damaged_bytes = 0
        self.segment = 0  # the one that records come from
        self.is_done = False  # the writer is gone, and everything was read
        self._reader: Optional[SegmentReader] = None

    def records(self) -> Iterator[Record]:
        """What is there and was not read yet. Between two segments `segment` changes."""
        while not self.is_done:
            newer = [number for number in segments(self.folder) if number > self.segment]
            if self._reader is None:
                if not newer:
                    self.is_done = True
                    return
                self.segment = newer.pop(0)
                path = os.path.join(self.folder, form.segment_name(self.segment))
                self._reader = SegmentReader(path)
            # Asked before reading: who is gone now has written everything before.
            is_final = bool(newer) or not has_writer(self._reader.path)
            if is_final and not newer:
                # It may have begun the next segment and then gone.
                newer = [number for number in segments(self.folder) if number > self.segment]
            yield from self._reader.records(is_final)
            if not is_final:
                return
            self.close()
            if not newer:
                self.is_done = True

    def close(self) -> None:
        if self._reader is not None:
            self.damaged_bytes += self._reader.damaged_bytes
            self._reader.close()
            self._reader = None
