"""Keras 3, on any backend:

from waterflow.integrations.keras import WaterflowCallback

model.fit(..., callbacks=[WaterflowCallback(project="demo")])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import keras

from waterflow.integrations import RunOf
from waterflow.trainer_run import Run


class WaterflowCallback(keras.callbacks.Callback):
    """Logs a row each epoch, whose step is the epoch, and the learning rate with it.
    `log_batches`: also every so many batches, as batch/..., by batches since the beginning."""

    def __init__(self, run: Optional[Run] = None, log_batches: int = 0, **init: Any) -> None:
        super().__init__()
        self._run = RunOf(run, init)
        self._log_batches = log_batches
        self._batches = 0

    def on_train_begin(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._run.get().config.update({k: v for k, v in self.params.items() if v is not None})

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        row = dict(logs or {})
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None and hasattr(optimizer, "learning_rate"):
            row["learning_rate"] = float(optimizer.learning_rate)
        self._run.get().log(row, step=epoch)

    def on_train_batch_end(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        if self._log_batches and self._batches % self._log_batches == 0:
            row = {f"batch/{name}": value for name, value in (logs or {}).items()}
            self._run.get().log(row, step=self._batches)
        self._batches += 1

    def on_train_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        self._run.finish()
