"""The trainer's end of the spool: threads, signal handlers and forks on top of SpoolStream.

There is one lock, of this process alone. Three things make what is written next go to another
stream than before:

- fork: the child may not touch its parent's files, and gets a new lock, for nobody in the
  child would ever release the parent's;
- a signal handler that logs while it has interrupted a write of its own thread: for as long;
- a write that was left by an exception, such as Ctrl-C, of which nobody knows whether it took
  place.

So the number of a row never stands for two rows.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Callable, Iterable, Optional, Sequence

from waterflow import spool_format
from waterflow.spool_stream import SpoolStream

DENSE_SCHEMAS = 64  # from then on rows of new sets of names share a wide schema
WIDE_METRICS = 1000
STREAM_SCHEMAS = 65_536  # what the server takes of one stream


class SpoolWriter:
    def __init__(
        self, root: str, describe: Callable[[], dict[str, Any]], segment_bytes: int = 4 << 20
    ) -> None:
        self._root = root
        self._describe = describe
        self._segment_bytes = segment_bytes
        self._lock = threading.RLock()
        self._stream: Optional[SpoolStream] = None
        self._streams: list[SpoolStream] = []
        _writers.add(self)

    @property
    def folders(self) -> list[str]:
        return [stream.folder for stream in self._streams]

    @property
    def lost(self) -> int:
        return sum(stream.lost for stream in self._streams)

    @property
    def spooled_bytes(self) -> int:
        """All that was written, delivered or not."""
        return sum(stream.spooled_bytes for stream in self._streams)

    def known_row(
        self, names: tuple[str, ...], flags: int, step: int, time_ns: int, values: Iterable[Any]
    ) -> bool:
        """The usual row. False if it has no lane yet: row() makes one. Raises what struct raises
        if a value is no number; then nothing is written."""
        with self._lock:
            stream = self._stream
            if stream is None or stream.busy:
                return False
            stream.busy = True
            lane = stream.lanes.get(names)
            if lane is None or lane.is_wide:
                stream.busy = False
                return False
            try:
                stream.row(lane, flags, step, time_ns, values)
            except Exception:
                stream.busy = False
                raise
            stream.busy = False
            return True

    def row(
        self, names: tuple[str, ...], flags: int, step: int, time_ns: int, values: Sequence[float]
    ) -> None:
        """A row of names that are fit for a schema, and of floats."""

        def write(stream: SpoolStream) -> None:
            lane = stream.lanes.get(names)
            if (lane is None and len(stream.lanes) >= DENSE_SCHEMAS) or (lane and lane.is_wide):
                self._sparse(stream, names, flags, step, time_ns, values)
            else:
                stream.row(lane or stream.lane(names), flags, step, time_ns, values)

        self._do(write)

    def rows(
        self, names: tuple[str, ...], flags: int, steps: Sequence[int], times: Sequence[int],
        columns: Sequence[Sequence[float]],
    ) -> None:  # fmt: skip
        self._do(lambda stream: stream.rows(stream.lane(names), flags, steps, times, columns))

    def update(self, content: dict[str, Any]) -> None:
        """Tells what changed of the run; a stream that is opened later says it by itself."""
        self._do(lambda stream: stream.control(spool_format.UPDATE, content))

    def end(self, status: Optional[str]) -> None:
        """Ends all streams of this process."""
        with self._lock:
            for stream in self._streams:
                stream.ended(status)
            self._stream = None

    def check(self) -> None:
        """Goes on with a new stream when somebody has removed the old one's files."""
        with self._lock:
            for stream in self._streams:
                if stream.is_removed():
                    stream.busy = True  # for good

    def _do(self, action: Callable[[SpoolStream], None]) -> None:
        with self._lock:
            stream = self._stream
            if stream is None or stream.busy or len(stream.lanes) >= STREAM_SCHEMAS:
                stream = self._stream = self._free_stream()
            stream.busy = True
            try:
                action(stream)
            except Exception:
                stream.busy = False
                raise
            stream.busy = False

    def _free_stream(self) -> SpoolStream:
        for stream in self._streams:
            if not stream.busy and len(stream.lanes) < STREAM_SCHEMAS:
                return stream
        stream = SpoolStream(self._root, self._describe, self._segment_bytes)
        self._streams.append(stream)
        return stream

    def _sparse(
        self, stream: SpoolStream, names: tuple[str, ...], flags: int, step: int, time_ns: int,
        values: Sequence[float],
    ) -> None:  # fmt: skip
        """A row whose names make the 65th schema or a later one: its names join a wide schema,
        so that there are no more schemas than names."""
        new = [name for name in names if name not in stream.wide]
        if new and len(stream.wide) + len(new) > WIDE_METRICS:
            stream.wide, new = {}, list(names)
        for name in new:
            stream.wide[name] = len(stream.wide)
        lane = stream.lane(tuple(stream.wide), is_wide=True)
        places = [stream.wide[name] for name in names]
        stream.sparse_row(lane, flags, step, time_ns, places, values)

    def after_fork(self) -> None:
        """In the child, before anything of it runs."""
        for stream in self._streams:
            stream.close()  # leaves the parent's lock on it alone
        self._lock = threading.RLock()
        self._stream = None
        self._streams = []


_writers: weakref.WeakSet[SpoolWriter] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for writer in list(_writers):
        writer.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
