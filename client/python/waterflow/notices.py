"""What the client tells its user: lines on stderr, each matter once."""

from __future__ import annotations

import os
import sys

_said: set[str] = set()
silent = os.environ.get("WATERFLOW_SILENT", "").lower() in ("1", "true", "yes")


def say(text: str) -> None:
    if silent:
        return
    try:
        sys.stderr.write(f"waterflow: {text}\n")
    except Exception:  # a closed stderr is no reason to stop a training
        pass


def warn_once(matter: str, text: str) -> None:
    if matter in _said or len(_said) > 10_000:  # names may be without end
        return
    _said.add(matter)
    say(text)
