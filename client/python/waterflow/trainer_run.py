"""A run as the trainer has it: log() appends a row to the spool, everything else is a note in it."""

from __future__ import annotations

import collections
import os
import time as clock
from collections.abc import Mapping
from typing import Any, Optional, Sequence, Union

from waterflow import devices, notices, settings, values
from waterflow.run_record import RunRecord
from waterflow.sender_start import ensure_sender, make_room
from waterflow.spool_format import HAS_STEP
from waterflow.spool_writer import SpoolWriter

_time_ns = clock.time_ns
CHECK_NS = 5_000_000_000  # how often log() looks whether the sender and the spool are there
STATUSES = ("FINISHED", "FAILED", "KILLED")


class Run(RunRecord):
    """Made by waterflow.init(). Safe to use from threads, signal handlers and forked children.

    No method raises in the training loop, unless `strict`; none waits for a disk sync, a server
    or another process, but finish().
    """

    def __init__(self, spec: dict[str, Any], root: str, strict: bool, finish_seconds: float,
                 segment_bytes: int, config: Any = None) -> None:  # fmt: skip
        super().__init__(
            spec, root, strict, SpoolWriter(root, self._describe, segment_bytes), config
        )
        self._finish_seconds = finish_seconds
        self._segment_bytes = segment_bytes
        self._pending: dict[Any, Any] = {}
        self._kept: collections.deque[tuple[int, int, int, int, dict[str, Any]]] = (
            collections.deque()
        )
        self._may_have_devices = devices.are_possible()
        self._is_odd = False  # log() has to look closer: something is pending, or it is finished
        self._check_at = 0
        self._bounded_at = 0
        self.step = -1
        """The last step that was logged."""

    # Logging.

    def log(
        self,
        data: Mapping[Any, Any],
        step: Optional[int] = None,
        time: Optional[float] = None,
        commit: bool = True,
    ) -> None:
        """Logs one row: a number for each name.

        `step`: a whole number; absent, the last one plus one. `time`: seconds since 1970;
        absent, now. `commit=False` keeps the values until the next call that commits. What is
        no number is left out alone, with one warning for each name.
        """
        if self._kept:
            self._write_kept()
        if (
            time is None
            and commit is True
            and not self._is_odd
            and not (self._may_have_devices and _has_odd_types(data))
        ):
            flags, whole = HAS_STEP, step
            if step is None:
                whole = self.step + 1
            elif step.__class__ is not int:
                whole = values.whole_step(step, self._strict)
                flags = 0 if whole is None else HAS_STEP
            now = _time_ns()
            try:
                is_done = self._writer.known_row(tuple(data), flags, whole or 0, now, data.values())
            except Exception:
                is_done = False  # a value that struct does not take
            if is_done:
                if whole is not None:
                    self.step = whole
                # The clock may have been set back, too.
                if not 0 <= self._check_at - now <= CHECK_NS:
                    self._check(now)
                return
        try:
            self._log_slowly(data, step, time, commit)
        except values.Refused:
            raise
        except Exception as error:
            if self._strict:
                raise
            notices.warn_once("log", f"a row is left out: {type(error).__name__}: {error}")

    def log_columns(
        self,
        data: Mapping[Any, Sequence[float]],
        steps: Optional[Sequence[int]] = None,
        times: Optional[Sequence[float]] = None,
    ) -> None:
        """Logs many rows at once: for each name a column of numbers, all of one length.
        `steps`: one for each row; absent, they count on from the last. `times`: seconds since
        1970; absent, now."""
        try:
            self._log_columns(data, steps, times)
        except Exception as error:
            if self._strict:
                raise
            notices.warn_once("columns", f"columns are left out: {error}")

    def _log_slowly(self, data: Mapping[Any, Any], step: Any, time: Any, commit: bool) -> None:
        if self._is_finished:
            values.refuse(self._strict, "finished", "log() after finish() is left out")
            return
        if not isinstance(data, Mapping):
            values.refuse(
                self._strict, "data", f"log() takes a dict, not {type(data).__name__}: left out"
            )
            return
        # Numbers now, for a caller may change its tensors in place.
        number = devices.number_taker() if self._may_have_devices else values.number
        row = values.flat_row(data, self._strict, number)
        if not commit:
            self._pending.update(row)
            self._is_odd = True
            return
        if self._pending:
            row, self._pending = {**self._pending, **row}, {}
            self._is_odd = False
        if not row:
            return
        now = (None if time is None else values.unix_ns(time, self._strict)) or _time_ns()
        step = self.step + 1 if step is None else values.whole_step(step, self._strict)
        flags = 0 if step is None else HAS_STEP
        kept = (os.getpid(), flags, step or 0, now, row)
        if any(type(number) is devices.Later for number in row.values()):
            self._kept.append(kept)
        else:
            self._write_row(*kept)
        if step is not None:
            self.step = step
        self._check(_time_ns())

    def _write_row(self, pid: int, flags: int, step: int, now: int, row: dict[str, Any]) -> None:
        names, numbers = tuple(row), list(row.values())
        for first in range(0, len(names), values.MAX_ROW_METRICS):
            last = first + values.MAX_ROW_METRICS
            self._writer.row(names[first:last], flags, step, now, numbers[first:last])

    def _write_kept(self) -> None:
        """The rows that waited for a device. A forked child leaves its parent's to the parent."""
        while self._kept:
            try:
                pid, flags, step, now, row = self._kept.popleft()
            except IndexError:  # another thread was faster
                return
            if pid != os.getpid():
                continue
            try:
                whole = values.flat_row(row, False, devices.number_of)
                if whole:
                    self._write_row(pid, flags, step, now, whole)
            except Exception as error:
                notices.warn_once("log", f"a row is left out: {type(error).__name__}: {error}")

    def _log_columns(self, data: Any, steps: Any, times: Any) -> None:
        if self._is_finished:
            values.refuse(self._strict, "finished", "log_columns() after finish() is left out")
            return
        columns = {
            str(name): [values.number(value) for value in _plain_list(column)]
            for name, column in data.items()
        }
        for name in columns:
            fault = values.name_fault(name)
            if fault:
                raise values.Refused(f"column {name[:100]!r}: {fault}")
        rows = len(next(iter(columns.values()), ()))
        if steps is None:
            steps = range(self.step + 1, self.step + 1 + rows)
        whole = [values.whole_step(step, True) for step in _plain_list(steps)]
        now = _time_ns()
        stamps = [now] * rows
        if times is not None:
            stamps = [values.unix_ns(time, True) or now for time in _plain_list(times)]
        for name, length in [*((n, len(c)) for n, c in columns.items()),
                             ("steps", len(whole)), ("times", len(stamps))]:  # fmt: skip
            if length != rows:
                raise values.Refused(f"{name!r} has {length} values, the first column {rows}")
        if rows:
            self._writer.rows(tuple(columns), HAS_STEP, [s or 0 for s in whole], stamps,
                              list(columns.values()))  # fmt: skip
            self.step = whole[-1] or 0
        self._check(_time_ns())

    # What is said of the run goes into the spool as well.

    def _tell(self, content: dict[str, Any]) -> None:
        try:
            if not self._is_finished:
                self._writer.update(content)
                self._check(_time_ns())
        except Exception as error:
            notices.warn_once("update", f"an update of the run is left out: {error}")

    def _describe(self) -> dict[str, Any]:
        """What the header of a segment says of the run and of this process."""
        return {**self._spec, "pid": os.getpid(), "is_child": os.getpid() != self._spec["pid"]}

    # The end.

    def finish(self, status: Union[str, int, None] = None, timeout: Optional[float] = None) -> None:
        """Ends the run: "FINISHED" (the default), "FAILED" or "KILLED", or a process's exit
        code. Waits `timeout` seconds at most (5, or 30 where a job's end is the sender's end)
        until the server has everything; what is left then, the sender delivers later."""
        if self._is_finished:
            return
        if isinstance(status, int):
            status = "FAILED" if status else "FINISHED"
        status = (status or "FINISHED").upper()
        if status not in STATUSES:
            raise ValueError(f"status is {status!r}, it must be one of {', '.join(STATUSES)}")
        if self._pending:
            self.log({})
        self._write_kept()
        self._is_finished = self._is_odd = True
        try:
            self._writer.end(status)
            if self._writer.lost:
                notices.say(f"{self._writer.lost} rows are lost: the disk did not take them")
            if self._spec["mode"] == "online":
                self._await_delivery(self._finish_seconds if timeout is None else timeout)
        except Exception as error:
            notices.warn_once("finish", f"finish: {type(error).__name__}: {error}")

    def _await_delivery(self, seconds: float) -> None:
        deadline = clock.monotonic() + seconds
        left = [folder for folder in self._writer.folders if os.path.isdir(folder)]
        look_at = 0.0
        while left and clock.monotonic() < deadline:
            if clock.monotonic() >= look_at:  # a sender that ends just now still has its lock
                look_at = clock.monotonic() + 1
                ensure_sender(self._root)
            clock.sleep(0.02)
            for folder in left:
                if os.path.exists(os.path.join(folder, "refused")):
                    with open(os.path.join(folder, "refused")) as reason:
                        notices.say(f"run {self.id} is refused: {reason.read().strip()}")
            left = [folder for folder in left if _is_waiting(folder)]
        if left:
            notices.say(
                f"run {self.id}: not all is delivered after {seconds:g} s; the sender goes on"
            )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: Any) -> None:
        if kind is None:
            self.finish()
        else:
            self.finish("KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED")

    def _check(self, now: int) -> None:
        """Every few seconds: is there a sender, is the spool still there?"""
        if 0 <= self._check_at - now <= CHECK_NS:
            return
        self._check_at = now + CHECK_NS
        try:
            self._writer.check()
            self._may_have_devices = devices.are_possible()
            if self.thinned_rows:
                notices.warn_once(
                    "thinned",
                    f"the spool {self._root} is as large as it may be: of old rows only extremes "
                    "are kept until the server has them",
                )
            if self._spec["mode"] != "online" or not ensure_sender(self._root):
                self._bound_spool()
        except Exception as error:
            notices.warn_once("check", f"{type(error).__name__}: {error}")

    def _bound_spool(self) -> None:
        """A look at all spools of the root whenever this one has grown by a part of the limit."""
        size = self._writer.spooled_bytes
        if size - self._bounded_at > settings.max_spool_bytes(self._root, None, 0) // 64:
            self._bounded_at = size
            make_room(self._root)

    # multiprocessing's spawn pickles: the child logs to the same run and worker.

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (
            {**self._spec}, self._root, self._strict, self._finish_seconds, self._segment_bytes,
            self.config.as_dict(), self.step,
        )  # fmt: skip


def _unpickled(spec: dict[str, Any], root: str, strict: bool, finish_seconds: float,
               segment_bytes: int, config: Any, step: int) -> Run:  # fmt: skip
    run = Run(spec, root, strict, finish_seconds, segment_bytes, config)
    run.step = step
    return run


def _has_odd_types(data: Any) -> bool:
    """Whether a closer look at the values is due, for one may be a device's."""
    try:
        return not devices.PLAIN.issuperset(map(type, data.values()))
    except AttributeError:
        return True


def _is_waiting(folder: str) -> bool:
    return os.path.isdir(folder) and not os.path.exists(os.path.join(folder, "refused"))


def _plain_list(column: Any) -> list[Any]:
    return list(column.tolist() if hasattr(column, "tolist") else column)


class DisabledRun(Run):
    """mode="disabled": every call does nothing."""

    def log(self, *_: Any, **__: Any) -> None:
        pass

    log_columns = alert = log

    def _tell(self, content: dict[str, Any]) -> None:
        pass

    def finish(self, *_: Any, **__: Any) -> None:
        pass
