"""XGBoost:

from waterflow.integrations.xgboost import WaterflowCallback

xgboost.train(..., evals=[(valid, "valid")], callbacks=[WaterflowCallback(project="demo")])
"""

from __future__ import annotations

from typing import Any, Optional

import xgboost

from waterflow.integrations import RunOf
from waterflow.trainer_run import Run


class WaterflowCallback(xgboost.callback.TrainingCallback):
    """Logs valid/rmse and so on, a row each round; of xgboost.cv also valid/rmse/std. What early
    stopping found goes to the run's summary."""

    def __init__(self, run: Optional[Run] = None, **init: Any) -> None:
        super().__init__()
        self._run = RunOf(run, init)

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, Any]) -> bool:
        row = {}
        for evals, metrics in evals_log.items():
            for metric, values in metrics.items():
                last = values[-1]
                if isinstance(last, tuple):  # of cv: mean and standard deviation
                    row[f"{evals}/{metric}"], row[f"{evals}/{metric}/std"] = last
                else:
                    row[f"{evals}/{metric}"] = last
        self._run.get().log(row, step=epoch)
        return False  # to go on

    def after_training(self, model: Any) -> Any:
        try:
            self._run.get().summary.update(
                {"best_iteration": model.best_iteration, "best_score": model.best_score}
            )
        except (AttributeError, TypeError):  # there was no early stopping
            pass
        self._run.finish()
        return model
