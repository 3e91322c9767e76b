"""Callbacks, loggers and trackers of training libraries, a file for each. A file imports its library,
so import only the one that you have.

All of them log to the run that is given, else to the one that waterflow.init() made, else to
one that they make of the further arguments, which are those of init(), and finish themselves.
"""

from __future__ import annotations

from typing import Any, Optional

import waterflow
from waterflow.trainer_run import Run


class RunOf:
    """The run that an integration logs to, made when it is first asked for."""

    def __init__(self, run: Optional[Run], init: dict[str, Any]) -> None:
        self._run = run
        self._init = init
        self._is_own = False

    def get(self) -> Run:
        if self._run is None and not self._init and waterflow.run is not None:
            self._run = waterflow.run
        if self._run is None or (self._is_own and self._run.is_finished):
            self._run = waterflow.init(**self._init)
            self._is_own = True
        return self._run

    def finish(self, status: str = "FINISHED") -> None:
        """If it was made here."""
        if self._is_own and self._run is not None:
            self._run.finish(status)
