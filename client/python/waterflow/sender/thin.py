"""Makes a segment small: of its rows those values stay that a chart must not lose.

Of every window of some 64 rows of a lane there remain: the last row, whole; and of each metric
the least and the greatest finite value, the first NaN, the first +Inf and the first -Inf, each
with its own step and time, as sparse rows. Nothing is averaged: what is left was logged so.

The lane goes on behind the segment as before, so that its rows there are a gap, which the server
records as lost. What remains of them are rows of another lane, of the same names, with numbers
of its own; thinned once more, they keep the last of these numbers. A number must not stand for
two rows, nor a row have two, so nothing may be thinned that rows may have been sent of.
"""

from __future__ import annotations

import math
import os
import struct
from array import array
from typing import Any, Iterable, Iterator, NamedTuple, Sequence

from waterflow import spool_format as form
from waterflow import spool_reader
from waterflow.sender import notes
from waterflow.spool_reader import Row

WINDOW_ROWS = 64
FIRST_THINNED = 1 << 30  # the lane of what remains of lane 5 is this + 5; no trainer gets there


class Damaged(Exception):
    """The segment is not whole."""


def thinned_level(path: str) -> int:
    """How often a segment was thinned. Raises Damaged if its header cannot be read."""
    reader = spool_reader.SegmentReader(path)
    try:
        for record in reader.records(is_final=True):
            if record.kind != form.HEADER:
                break
            return int(spool_reader.json_of(record).get("thinned", 0))
    except ValueError:
        pass
    finally:
        reader.close()
    raise Damaged(f"{path}: no header")


class Thinned(NamedTuple):
    rows: int
    kept: int
    size: int


class Segment:
    """What a segment holds, taken apart."""

    def __init__(self, path: str) -> None:
        self.header: dict[str, Any] = {}
        self.names: dict[int, list[str]] = {}
        self.rows: dict[int, list[Row]] = {}
        self.others: list[spool_reader.Record] = []  # what was said of the run
        reader = spool_reader.SegmentReader(path)
        try:
            for record in reader.records(is_final=True):
                self._take(record)
        except (struct.error, ValueError) as error:
            raise Damaged(str(error)) from None
        finally:
            reader.close()
        if reader.damaged_bytes or not self.header or self.rows.keys() - self.names.keys():
            raise Damaged(f"{path}: {reader.damaged_bytes} damaged bytes")

    def _take(self, record: spool_reader.Record) -> None:
        parsed = spool_reader.parse(record)
        if isinstance(parsed, Row):
            self.rows.setdefault(parsed.schema, []).append(parsed)
        elif isinstance(parsed, spool_reader.Schema):
            self.names[parsed.schema] = parsed.names
        elif record.kind == form.HEADER:
            self.header = parsed
        else:
            self.others.append(record)

    @property
    def level(self) -> int:
        """How often it was thinned."""
        return int(self.header.get("thinned", 0))

    def count(self) -> int:
        return sum(len(rows) for rows in self.rows.values())


def thin(path: str, is_emptied: bool = False) -> Thinned:
    """Replaces the segment, which nobody may be writing to, by a thinned one, or by one without
    rows, and notes it. Raises Damaged or OSError, and then leaves the segment as it is."""
    segment = Segment(path)
    kept = {
        schema: [] if is_emptied else [part for rows in _windows(lane) for part in _kept(rows)]
        for schema, lane in segment.rows.items()
    }
    count = segment.count()
    left = sum(map(len, kept.values()))
    numbers = notes.note_thinned(
        os.path.dirname(path), 0 if segment.level else count, left - (count if segment.level else 0),
        {schema + FIRST_THINNED: len(rows) for schema, rows in kept.items()
         if schema < FIRST_THINNED},
    )  # fmt: skip
    lanes = dict(segment.header["lanes"])
    parts = []
    for schema, rows in kept.items():
        end = segment.rows[schema][-1].row + 1
        names = tuple(segment.names[schema])
        if schema < FIRST_THINNED:
            lanes[str(schema)] = end
            schema += FIRST_THINNED
            first = numbers[schema]
        else:
            first = end - len(rows)
        lanes[str(schema)] = first
        if rows:
            parts.append(form.schema_record(schema, first, names))
        parts += [_record(row, schema, first + place) for place, row in enumerate(rows)]
    parts += [form.record(record.kind, record.payload, record.flags) for record in segment.others]
    header = {**segment.header, "lanes": lanes, "thinned": segment.level + 1}
    data = form.json_record(form.HEADER, header) + b"".join(parts)
    _replace(path, data)
    return Thinned(count, left, len(data))


def _windows(rows: list[Row]) -> Iterator[list[Row]]:
    """A window is full when its metrics have 64 values each on average: so it is 64 rows of a
    fresh segment, and more of one that was thinned already."""
    window: list[Row] = []
    metrics: set[int] = set()
    values = 0
    for row in rows:
        window.append(row)
        count = len(row.values) // 8
        values += count
        if len(metrics) < count or row.metrics is not None:
            metrics.update(row.metrics or range(count))
        if values >= WINDOW_ROWS * len(metrics):
            yield window
            window, metrics, values = [], set(), 0
    if window:
        yield window


def _kept(window: list[Row]) -> Iterator[Row]:
    """The rows that are left of a window, in order, with those values that are."""
    metrics_of: dict[int, set[int]] = {}
    for metric, places, values in _columns(window):
        for pick in _picks(values):
            metrics_of.setdefault(places[pick], set()).add(metric)
    last = len(window) - 1
    metrics_of.pop(last, None)
    for place in sorted(metrics_of):
        yield _part(window[place], metrics_of[place])
    yield window[last]


def _columns(window: list[Row]) -> Iterable[tuple[int, Sequence[int], Sequence[float]]]:
    """Of each metric: the places of the rows that have it, and the values."""
    if all(row.metrics is None for row in window):
        flat = array("d", b"".join(row.values for row in window))
        span = len(flat) // len(window)
        return [(metric, range(len(window)), flat[metric::span]) for metric in range(span)]
    columns: dict[int, tuple[list[int], list[float]]] = {}
    for place, row in enumerate(window):
        numbers = array("d", row.values)
        for metric, number in zip(row.metrics or range(len(numbers)), numbers):
            places, values = columns.setdefault(metric, ([], []))
            places.append(place)
            values.append(number)
    return [(metric, places, values) for metric, (places, values) in columns.items()]


def _picks(values: Sequence[float]) -> set[int]:
    if math.isfinite(sum(values)):
        return {values.index(min(values)), values.index(max(values))}
    finite = [place for place, value in enumerate(values) if math.isfinite(value)]
    picks: set[int] = set()
    if finite:
        picks |= {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)}
    for is_such in (math.isnan, math.inf.__eq__, (-math.inf).__eq__):
        picks.update([place for place, value in enumerate(values) if is_such(value)][:1])
    return picks


def _part(row: Row, metrics: set[int]) -> Row:
    places = {metric: place for place, metric in enumerate(row.metrics or ())}
    chosen = sorted(metrics)
    values = b"".join(
        row.values[8 * place : 8 * place + 8]
        for place in (places.get(metric, metric) for metric in chosen)
    )
    return row._replace(metrics=tuple(chosen), values=values)


def _record(row: Row, schema: int, number: int) -> bytes:
    flags = 0 if row.step is None else form.HAS_STEP
    axes = form.AXES.pack(schema, number, row.step or 0, row.time_ns)
    if row.metrics is None:
        return form.record(form.ROW, axes + row.values, flags)
    head = struct.pack(f"<I{len(row.metrics)}I", len(row.metrics), *row.metrics)
    return form.record(form.SPARSE, axes + head + row.values, flags)


def _replace(path: str, data: bytes) -> None:
    """With the age that it had, by which segments are chosen."""
    stat = os.stat(path)
    temporary = path + ".thin"
    try:
        with open(temporary, "wb", opener=_private) as file:
            file.write(data)
        os.utime(temporary, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.replace(temporary, path)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
