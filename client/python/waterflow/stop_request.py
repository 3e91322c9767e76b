"""Asks a run to stop: a tag of the run, which senders look for and put into the spools of the run's
processes as a file, where run.should_stop finds it. The tag's text is when it was asked, in Unix
seconds, and why; without a time it holds for every process of the run, later ones too."""

from __future__ import annotations

import os
import time
from typing import Optional

STOP_TAG = "waterflow.stop"
STOP_FILE = "stop"


def text_of(reason: str) -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return f"{seconds}.{nanoseconds:09d} {reason}".strip()


def reason_in(folder: str, started_ns: int) -> Optional[str]:
    """Why a process that began then should stop; None if it should not."""
    try:
        with open(os.path.join(folder, STOP_FILE)) as file:
            text = file.read()
    except OSError:
        return None
    asked, _, reason = text.partition(" ")
    try:
        seconds, _, fraction = asked.partition(".")
        asked_ns = int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))
    except ValueError:
        return text
    return reason if asked_ns >= started_ns else None
