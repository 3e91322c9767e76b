"""Hugging Face's Accelerate:

from waterflow.integrations.accelerate import WaterflowTracker

accelerator = Accelerator(log_with=WaterflowTracker("demo"))
accelerator.init_trackers("demo", config={...})
accelerator.log({"loss": loss}, step=step)
"""

from __future__ import annotations

from typing import Any, Optional

from accelerate.tracking import GeneralTracker, on_main_process

from waterflow.integrations import RunOf
from waterflow.trainer_run import Run


class WaterflowTracker(GeneralTracker):
    """Logs on the main process, as all trackers of Accelerate do."""

    name = "waterflow"
    requires_logging_directory = False

    def __init__(
        self, project: Optional[str] = None, run: Optional[Run] = None, **init: Any
    ) -> None:
        super().__init__()
        self._run = RunOf(run, {**init, **({"project": project} if project else {})})

    @property
    def tracker(self) -> Run:
        return self._run.get()

    @on_main_process  # type: ignore[untyped-decorator]
    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.tracker.config.update(values)

    @on_main_process  # type: ignore[untyped-decorator]
    def log(self, values: dict[str, Any], step: Optional[int] = None, **_: Any) -> None:
        self.tracker.log(values, step=step)

    @on_main_process  # type: ignore[untyped-decorator]
    def finish(self) -> None:
        self._run.finish()
