"""Keeps the spools of a root below a size: the oldest rows go first, whole segments at a time.

Never the newest segment of a spool, so that the rows that remain say which are missing: their
numbers go on, and the server records the range as lost.
"""

from __future__ import annotations

import os
import shutil
from typing import Optional

from waterflow import spool_reader
from waterflow.sender.log import log
from waterflow.spool_format import segment_name

DEFAULT_BYTES = 20 << 30
DEFAULT_SHARE = 0.2  # of what the disk has free, spools included


def limit_bytes(root: str, given: Optional[int], used: int) -> int:
    if given is not None:
        return given
    return min(DEFAULT_BYTES, int(DEFAULT_SHARE * (shutil.disk_usage(root).free + used)))


def make_room(root: str, given: Optional[int]) -> int:
    """Deletes as many segments as are too many; returns how many."""
    oldest, used = [], 0
    for folder in spool_folders(root):
        try:
            numbers = spool_reader.segments(folder)
            for number in numbers:
                path = os.path.join(folder, segment_name(number))
                stat = os.stat(path)
                used += stat.st_size
                if number != numbers[-1]:
                    oldest.append((stat.st_mtime_ns, path, stat.st_size))
        except OSError:
            continue  # delivered meanwhile
    limit, deleted = limit_bytes(root, given, used), 0
    for _, path, size in sorted(oldest):
        if used <= limit:
            break
        try:
            os.unlink(path)
        except OSError:
            continue
        used -= size
        deleted += 1
    if deleted:
        log(f"{root}: more than {limit} bytes: {deleted} segments are deleted, their rows lost")
    return deleted


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
