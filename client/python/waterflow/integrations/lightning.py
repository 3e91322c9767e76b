"""PyTorch Lightning:

    from waterflow.integrations.lightning import WaterflowLogger

    trainer = Trainer(logger=WaterflowLogger(project="demo"))

Where the launcher tells ranks apart (torchrun, SLURM, MPI) every rank logs as itself; where
Lightning starts the processes, rank 0 does.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Optional, Union

from waterflow import launcher
from waterflow.integrations import RunOf
from waterflow.trainer_run import Run

try:
    from lightning.pytorch.loggers.logger import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ImportError:
    from pytorch_lightning.loggers.logger import Logger
    from pytorch_lightning.utilities import rank_zero_only

STATUSES = {"success": "FINISHED", "finished": "FINISHED", "failed": "FAILED"}


class WaterflowLogger(Logger):
    """`prefix` goes before the names of all metrics."""

    def __init__(self, run: Optional[Run] = None, prefix: str = "", **init: Any) -> None:
        super().__init__()
        if launcher.detect().launcher == "none" and rank_zero_only.rank != 0:
            run, init = None, {"mode": "disabled"}
        self._run = RunOf(run, init)
        self._prefix = prefix

    @property
    def experiment(self) -> Run:
        return self._run.get()

    @property
    def name(self) -> str:
        return self.experiment.project

    @property
    def version(self) -> str:
        return self.experiment.id

    def log_metrics(self, metrics: Mapping[str, float], step: Optional[int] = None) -> None:
        self.experiment.log({self._prefix + name: v for name, v in metrics.items()}, step=step)

    def log_hyperparams(
        self, params: Union[Mapping[str, Any], argparse.Namespace], *_: Any, **__: Any
    ) -> None:
        self.experiment.config.update(params)

    def finalize(self, status: str) -> None:
        self._run.finish(STATUSES.get(status, "FINISHED"))
