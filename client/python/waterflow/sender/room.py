"""Keeps the spools of a root below a size. What is old is kept in less detail:

    the newest half of the size    all rows
    a quarter                      thinned once: see thin.py
    the rest                       thinned twice
    what is older                  deleted

Whole segments at a time, the oldest first, of all spools together. The newest segment of a
spool stays while its writer lives, so that the rows' numbers go on and say which are missing.

    python -m waterflow.sender.room --root DIR      once, where no sender does it
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import sys
from typing import Iterable, Iterator, NamedTuple, Optional, Sequence

from waterflow import settings, spool_reader
from waterflow.sender import clock, notes
from waterflow.sender.lock import lock
from waterflow.sender.log import log
from waterflow.sender.thin import Segment, thin, thinned_level
from waterflow.spool_format import segment_name

TOLD_SECONDS = 600


class Entry(NamedTuple):
    age_ns: int
    path: str
    folder: str
    number: int
    size: int
    is_newest: bool  # of its spool

    def may_be_thinned(self) -> bool:
        if self.is_newest and spool_reader.has_writer(self.path):
            return False
        return self.number > notes.sent_segment(self.folder)


WHOLE, ONCE, TWICE, LAST = range(4)  # how often thinned; LAST: what can only be deleted


class Room:
    """Remembers from one time to the next which segments were thinned."""

    def __init__(self, root: str, max_spool_bytes: Optional[int]) -> None:
        self._root = root
        self._given = max_spool_bytes
        self._levels: dict[str, int] = {}
        self._queues: list[collections.deque[Entry]] = []
        self._thinned = self._deleted = 0
        self._told_at = -float("inf")

    def steps(self) -> Iterator[None]:
        """Makes room, a segment a step. What happens to the spools between two steps is seen."""
        entries = sorted(self._entries())
        used = sum(entry.size for entry in entries)
        limit = settings.max_spool_bytes(self._root, self._given, used)
        if used <= limit:
            return
        self._queues = [collections.deque() for _ in range(4)]
        before, self._levels = self._levels, {}
        for entry in entries:
            self._enqueue(entry, before.get(entry.path))
        while used > limit:
            level = self._level_to_shrink(limit)
            if level is None:
                break
            entry = self._queues[level].popleft()
            try:
                used += self._shrink(entry, level) - entry.size
            except OSError as error:
                log(f"{entry.path}: {error}")
            except Exception as damage:  # whatever is in it, the others have to be bounded
                log(f"{entry.path}: {damage!r}")
                self._queues[LAST].append(entry)
            yield
        self._tell(limit)

    def _entries(self) -> Iterator[Entry]:
        for folder in spool_folders(self._root):
            try:
                numbers = spool_reader.segments(folder)
                for number in numbers:
                    path = os.path.join(folder, segment_name(number))
                    stat = os.stat(path)
                    yield Entry(
                        stat.st_mtime_ns, path, folder, number, stat.st_size, number == numbers[-1]
                    )
            except OSError:
                continue  # delivered meanwhile

    def _enqueue(self, entry: Entry, level: Optional[int]) -> None:
        try:
            if entry.may_be_thinned():
                level = thinned_level(entry.path) if level is None else level
                self._levels[entry.path] = level
                if level <= TWICE:
                    self._queues[level].append(entry)
            elif not entry.is_newest:
                self._queues[LAST].append(entry)
        except OSError:
            pass  # delivered meanwhile
        except Exception:  # no header that can be read
            self._queues[LAST].append(entry)

    def _level_to_shrink(self, limit: int) -> Optional[int]:
        whole, once = self._queues[:2]
        if _bytes(whole) > limit // 2:
            return WHOLE
        if _bytes(once) > limit // 4:
            return ONCE
        # The oldest goes. What cannot be thinned is old and large, for the server may have it.
        return next((level for level in (LAST, TWICE, ONCE, WHOLE) if self._queues[level]), None)

    def _shrink(self, entry: Entry, level: int) -> int:
        """Returns how large the segment is now."""
        if level == LAST or (level == TWICE and not entry.is_newest):
            self._delete(entry)
            return 0
        if not entry.may_be_thinned():
            return entry.size  # rows of it are on their way by now
        try:
            done = thin(entry.path, is_emptied=level == TWICE)
        except OSError:  # no room for the thinned one
            self._delete(entry)
            return 0
        self._thinned += 1
        self._levels[entry.path] = level + 1
        if level < TWICE:
            self._queues[level + 1].append(entry._replace(size=done.size))
        return done.size

    def _delete(self, entry: Entry) -> None:
        rows, is_new = 0, True
        with contextlib.suppress(Exception):  # it is damaged, perhaps
            segment = Segment(entry.path)
            rows, is_new = segment.count(), segment.level == 0
        os.unlink(entry.path)
        self._deleted += 1
        with contextlib.suppress(OSError):  # a full disk; the server still learns of the gap
            notes.note_thinned(entry.folder, rows if is_new else 0, 0 if is_new else -rows, {})

    def _tell(self, limit: int) -> None:
        if clock.now() - self._told_at < TOLD_SECONDS:
            return  # an outage of a day does not fill the log
        self._told_at = clock.now()
        log(
            f"{self._root}: more than {limit} bytes: {self._thinned} times a segment was thinned, "
            f"{self._deleted} segments are deleted"
        )


def _bytes(entries: Iterable[Entry]) -> int:
    return sum(entry.size for entry in entries)


def make_room(root: str, max_spool_bytes: Optional[int]) -> None:
    for _ in Room(root, max_spool_bytes).steps():
        pass


def spool_folders(root: str) -> list[str]:
    """Those that have a segment."""
    folders = []
    with os.scandir(root) as entries:
        for entry in entries:
            try:
                if entry.is_dir() and spool_reader.segments(entry.path):
                    folders.append(entry.path)
            except OSError:
                continue
    return folders


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="waterflow.sender.room", description=__doc__)
    parser.add_argument("--root", required=True)
    root = parser.parse_args(arguments).root
    if lock(root) is not None:  # else a sender sees to it
        make_room(root, None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
