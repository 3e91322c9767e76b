"""LightGBM:

from waterflow.integrations.lightgbm import log_rounds

lightgbm.train(..., valid_sets=[valid], callbacks=[log_rounds(project="demo")])
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from waterflow.integrations import RunOf
from waterflow.trainer_run import Run


def log_rounds(run: Optional[Run] = None, **init: Any) -> Callable[[Any], None]:
    """A callback that logs valid_0/l2 and so on, a row each round; of lightgbm.cv also
    valid/l2/std."""
    to = RunOf(run, init)

    def callback(env: Any) -> None:
        row = {}
        for data, metric, value, _, *rest in env.evaluation_result_list or ():
            row[f"{data}/{metric}"] = value
            if rest:
                row[f"{data}/{metric}/std"] = rest[0]
        to.get().log(row, step=env.iteration)
        if env.iteration == env.end_iteration - 1:
            to.finish()

    callback.order = 25  # type: ignore[attr-defined]  # before early stopping, which raises at 30
    return callback
