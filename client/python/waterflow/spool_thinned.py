"""How many rows of a spool were thinned or deleted because it grew too large. The sender writes
it, the trainer warns of it."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

THINNED_FILE = "thinned"


class ThinnedRows(NamedTuple):
    """`rows` were thinned or deleted; `kept` of them are left in part. `lanes`: the next row of
    each lane that what is left is in."""

    rows: int
    kept: int
    lanes: dict[int, int]


def read_thinned(folder: str) -> ThinnedRows:
    try:
        with open(os.path.join(folder, THINNED_FILE)) as file:
            content = json.load(file)
        lanes = {int(lane): int(row) for lane, row in content["lanes"].items()}
        return ThinnedRows(int(content["rows"]), int(content["kept"]), lanes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ThinnedRows(0, 0, {})
