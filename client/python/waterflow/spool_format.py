"""The bytes of a spool, version 1; docs/spool.md says the same for a reader without Python.

A spool is a folder that belongs to one stream (one process of one worker). It holds segments,
00000001.wfs and so on; a segment is a sequence of records, the first of kind HEADER:

    u16 magic "WF"   u8 kind   u8 flags   u32 length of the payload
    payload
    u32 CRC-32 of all bytes of the record before it

All numbers are little-endian. Payloads:

    HEADER   JSON: see docs/spool.md
    SCHEMA   u32 schema   u64 row   JSON list of metric names; row: the lane's next one
    ROW      u32 schema   u64 row   i64 step   i64 time in Unix ns   f64 for each metric
    SPARSE   u32 schema   u64 row   i64 step   i64 time   u32 n   n x u32 metric   n x f64
    UPDATE   JSON: what changed of the run
    END      JSON: how the worker ended

A row whose flags lack HAS_STEP has no step, whatever stands in its place.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any, Sequence

VERSION = 1
MAGIC = 0x4657  # "WF"
MAGIC_BYTES = b"WF"

HEADER, SCHEMA, ROW, SPARSE, UPDATE, END = range(1, 7)
HAS_STEP = 1

RECORD = struct.Struct("<HBBI")
CRC = struct.Struct("<I")
LANE = struct.Struct("<IQ")  # how SCHEMA begins
AXES = struct.Struct("<IQqq")  # how ROW and SPARSE begin
COUNT = struct.Struct("<I")

# No record is larger: 16,384 metrics of 512 bytes, escaped, stay below.
MAX_PAYLOAD = 1 << 26


def record(kind: int, payload: bytes, flags: int = 0) -> bytes:
    head = RECORD.pack(MAGIC, kind, flags, len(payload)) + payload
    return head + CRC.pack(zlib.crc32(head))


def json_record(kind: int, content: Any) -> bytes:
    return record(kind, json.dumps(content, separators=(",", ":")).encode())


def schema_record(schema: int, row: int, names: tuple[str, ...]) -> bytes:
    text = json.dumps(names, separators=(",", ":")).encode()
    return record(SCHEMA, LANE.pack(schema, row) + text)


def row_struct(metrics: int) -> struct.Struct:
    """All of a ROW but its checksum in one step, for it is what a training loop waits for."""
    return struct.Struct(f"<HBBIIQqq{metrics}d")


def sparse_record(
    schema: int,
    row: int,
    flags: int,
    step: int,
    time_ns: int,
    metrics: list[int],
    values: Sequence[float],
) -> bytes:
    count = len(metrics)
    return record(
        SPARSE,
        AXES.pack(schema, row, step, time_ns)
        + struct.pack(f"<I{count}I{count}d", count, *metrics, *values),
        flags,
    )


def segment_name(number: int) -> str:
    return f"{number:08d}.wfs"
