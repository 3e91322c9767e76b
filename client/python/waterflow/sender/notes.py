"""What the sender notes in a spool, each in a file of its own next to the segments:

sent      the newest segment that rows may have been sent of
thinned   rows that were in thinned and deleted segments, and how many of them are left in part
refused   why the spool cannot be delivered
"""

from __future__ import annotations

import json
import os

from waterflow.spool_thinned import THINNED_FILE, read_thinned

REFUSED_FILE = "refused"
SENT_FILE = "sent"

_sent: dict[str, int] = {}


def sent_segment(folder: str) -> int:
    try:
        with open(os.path.join(folder, SENT_FILE)) as file:
            noted = int(file.read())
    except (OSError, ValueError):
        noted = 0
    return max(noted, _sent.get(folder, 0))


def note_sent(folder: str, segment: int) -> None:
    """Before the first row of the segment is sent."""
    if segment <= sent_segment(folder):
        return
    _sent[folder] = segment
    try:
        _replace(os.path.join(folder, SENT_FILE), str(segment))
    except OSError:  # a full disk, which only delivery makes room on; this process remembers
        pass


def note_thinned(folder: str, rows: int, kept: int, lanes: dict[int, int]) -> dict[int, int]:
    """Adds to what is noted already. `lanes`: of how many rows what remains is in which lane;
    returns the number of the first one of each. Raises OSError."""
    noted = read_thinned(folder)
    next_rows = {**noted.lanes}
    for lane, count in lanes.items():
        next_rows[lane] = next_rows.get(lane, 0) + count
    content = {"rows": noted.rows + rows, "kept": noted.kept + kept, "lanes": next_rows}
    _replace(os.path.join(folder, THINNED_FILE), json.dumps(content))
    return {lane: noted.lanes.get(lane, 0) for lane in lanes}


def forget(folder: str) -> None:
    _sent.pop(folder, None)


def _replace(path: str, text: str) -> None:
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)
