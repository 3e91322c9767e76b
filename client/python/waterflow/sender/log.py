"""The sender's log: lines on stderr, which is sender.log when a trainer has started it."""

from __future__ import annotations

import sys
import time


def log(text: str) -> None:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        print(f"{stamp} {text}", file=sys.stderr, flush=True)
    except OSError:  # a full disk
        pass
