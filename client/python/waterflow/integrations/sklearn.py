"""scikit-learn: searches over parameters, and models that learn in parts.

from waterflow.integrations.sklearn import log_search, partial_fit
"""

from __future__ import annotations

from typing import Any, Iterable, Optional

from waterflow.integrations import RunOf
from waterflow.trainer_run import Run


def log_search(search: Any, run: Optional[Run] = None, **init: Any) -> Run:
    """Logs what a fitted GridSearchCV (or another search with cv_results_) has tried: a row for
    each candidate, its number the step, with all scores, times and numeric parameters. The best
    one goes to the summary."""
    to = RunOf(run, init)
    target = to.get()
    results = search.cv_results_
    names = [name for name in results if name != "params"]
    for candidate, params in enumerate(results["params"]):
        row = {name: results[name][candidate] for name in names if not name.startswith("param_")}
        for name, value in params.items():
            if isinstance(value, (int, float)):
                row[f"param/{name}"] = value
        target.log(row, step=candidate)
    target.config.update({"search": type(search).__name__, "candidates": len(results["params"])})
    for name in ("best_index_", "best_score_", "best_params_"):
        if hasattr(search, name):  # not where refit is off
            target.summary[name.rstrip("_")] = getattr(search, name)
    to.finish()
    return target


def partial_fit(
    estimator: Any,
    batches: Iterable[tuple[Any, Any]],
    validation: Optional[tuple[Any, Any]] = None,
    classes: Any = None,
    run: Optional[Run] = None,
    **init: Any,
) -> Any:
    """Fits an estimator batch by batch and logs a row for each: score on the validation data, and
    loss_ and t_ where the estimator has them. `classes`: as partial_fit wants them of a
    classifier. Returns the estimator."""
    to = RunOf(run, init)
    target = to.get()
    target.config.update({"estimator": type(estimator).__name__, **estimator.get_params()})
    for step, (features, labels) in enumerate(batches):
        more = {"classes": classes} if classes is not None and step == 0 else {}
        estimator.partial_fit(features, labels, **more)
        row = {"samples": len(labels)}
        if validation is not None:
            row["validation/score"] = estimator.score(*validation)
        for name in ("loss_", "t_"):
            if isinstance(getattr(estimator, name, None), (int, float)):
                row[name.rstrip("_")] = getattr(estimator, name)
        target.log(row, step=step)
    to.finish()
    return estimator
