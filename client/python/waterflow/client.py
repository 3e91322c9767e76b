"""Reads back what was logged: waterflow.Client().query(...)."""

from __future__ import annotations

import os
from array import array
from typing import Any, Optional, Sequence, Union

from waterflow import settings, tables
from waterflow.api import enum, message, method, open_channel
from waterflow.stop_request import STOP_TAG, text_of

AXES = ("step", "time", "relative_time")
EXPORT_METRICS = 16  # so many are in memory at once
REDUCTIONS = ("mean", "sum", "min", "max", "default")


class Series:
    """The points of one metric of one worker, or of all workers reduced.

    `steps`, `times_ns` and `values` for raw points; `positions`, `count`, `mean`, `min`, `max`
    and `values` for buckets and reduced answers. Each is a numpy array if numpy is installed,
    else an array.array. A point without a step has step 0 and False in `has_step`.
    """

    def __init__(self, run_id: str, metric: str, role: str, rank: Optional[int]) -> None:
        self.run_id = run_id
        self.metric = metric
        self.role = role
        self.rank = rank
        self.steps: Any = array("q")
        self.times_ns: Any = array("q")
        self.values: Any = array("d")
        self.has_step: Any = array("b")
        self.positions: Any = array("q")
        self.count: Any = array("q")
        self.mean: Any = array("d")
        self.min: Any = array("d")
        self.max: Any = array("d")

    def _add(self, part: Any) -> None:
        self.steps.extend(part.steps)
        self.times_ns.extend(part.times_ns)
        self.values.extend(part.values)
        self.has_step.extend(part.has_step or [True] * len(part.steps))
        buckets = part.buckets
        self.positions.extend(buckets.first_position)
        self.count.extend(buckets.count)
        self.values.extend(buckets.value)
        self.mean.extend(buckets.mean)
        self.min.extend(buckets.min)
        self.max.extend(buckets.max)

    def _as_numpy(self) -> Series:
        try:
            import numpy
        except ImportError:
            return self
        for name, column in vars(self).items():
            if isinstance(column, array):
                setattr(self, name, numpy.array(column, bool if name == "has_step" else None))
        return self

    def __repr__(self) -> str:
        return f"<Series {self.metric} rank {self.rank}: {len(self.values)} values>"


class Answer(list[Series]):
    """The series of an answer. `exact`: every point is there as it was logged. `lost`: what is
    known to be missing, as (metrics, rank, first row, end row)."""

    exact = True
    lost: list[tuple[list[str], int, int, int]] = []

    def to_pandas(self) -> Any:
        """One table; tables.py says its columns."""
        return tables.to_pandas(self)

    def to_polars(self) -> Any:
        return tables.to_polars(self)

    def to_pyarrow(self) -> Any:
        """Without a copy of the values."""
        return tables.to_pyarrow(self)


class Client:
    """One connection to a server: `server`, else WATERFLOW_SERVER, else 127.0.0.1:7070. Errors
    of the server are grpc.RpcError; they name the field, the value and the limit."""

    def __init__(self, server: Optional[str] = None, timeout: float = 60) -> None:
        self.server = server or os.environ.get("WATERFLOW_SERVER") or settings.DEFAULT_SERVER
        self._timeout = timeout
        self._channel = open_channel(self.server)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def query(
        self,
        run: Union[str, Sequence[str]],
        metrics: Union[str, Sequence[str]],
        ranks: Optional[Sequence[int]] = None,
        role: str = "",
        axis: str = "step",
        steps: Optional[tuple[Optional[int], Optional[int]]] = None,
        max_points: int = 0,
        reduce: Optional[str] = None,
    ) -> Answer:
        """`run`, `metrics`: one or several. `steps`: first and last one, None for no bound.
        `max_points`: at most so many buckets a series; 0, all points. `reduce`: the workers
        become one series by "mean", "sum", "min", "max", or "default", what each metric says."""
        settings.one_of("axis", axis, AXES)
        request = message("ReadRequest")(
            run_ids=[run] if isinstance(run, str) else run,
            metrics=[metrics] if isinstance(metrics, str) else metrics,
            workers=[{"role": role, "rank": rank} for rank in ranks or ()],
            axis=enum("Axis")[f"AXIS_{axis.upper()}"],
            max_points=max_points,
        )
        if steps is not None:
            request.step_range.SetInParent()
            for field, bound in zip(("first", "last"), steps):
                if bound is not None:
                    setattr(request.step_range, field, bound)
        if reduce is not None:
            settings.one_of("reduce", reduce, REDUCTIONS)
            request.reduction = enum("Reduction")[f"REDUCTION_{reduce.upper()}"]
        answer, found = Answer(), {}
        for response in method(self._channel, "Query/Read")(request, timeout=self._timeout):
            for part in response.parts:
                rank = part.worker.rank if part.HasField("worker") else None
                key = (part.run_id, part.metric, part.worker.role, rank)
                if key not in found:
                    found[key] = Series(*key)
                    answer.append(found[key])
                found[key]._add(part)
            if response.HasField("summary"):
                answer.exact = response.summary.exact
                answer.lost = [
                    (list(lost.metrics), lost.worker.rank, lost.first_row, lost.end_row)
                    for lost in response.summary.lost
                ]
        for series in answer:
            series._as_numpy()
        return answer

    def export_parquet(
        self, run: str, path: str, metrics: Optional[Union[str, Sequence[str]]] = None
    ) -> int:
        """Writes all points of a run, or those of some metrics, to a file that is there whole or
        not at all: what to_pyarrow() makes of raw points. Returns how many. Needs pyarrow."""
        if metrics is None:
            metrics = [metric.name for metric in self.metrics(run)]
        names = [metrics] if isinstance(metrics, str) else list(metrics)
        if not names:
            raise ValueError(f"run {run} has no metrics")
        groups = [names[i : i + EXPORT_METRICS] for i in range(0, len(names), EXPORT_METRICS)]
        return tables.write_parquet(
            os.fspath(path), (self.query(run, group, axis="time").to_pyarrow() for group in groups)
        )

    def run(self, run_id: str) -> Any:
        """What the server knows of a run: proto/waterflow/v1/tracking.proto, Run."""
        return self._call("Tracking/GetRun", "GetRunRequest", run_id=run_id).run

    def runs(self, project: str, filter: str = "", order_by: Sequence[str] = ()) -> list[Any]:
        """Runs of a project that match; docs/search.md is the language."""
        found: list[Any] = []
        token = ""
        while True:
            page = self._call(
                "Tracking/SearchRuns", "SearchRunsRequest", projects=[project], filter=filter,
                order_by=order_by, page_token=token,
            )  # fmt: skip
            found += [entry.run for entry in page.runs]
            token = page.next_page_token
            if not token:
                return found

    def stop(self, run_id: str, reason: str = "") -> None:
        """Asks all processes of a run to stop: their run.should_stop becomes True within some
        ten seconds. Whether they do is their affair."""
        self._call(
            "Tracking/UpdateRun", "UpdateRunRequest", run_id=run_id,
            set_tags={STOP_TAG: text_of(reason)},
        )  # fmt: skip

    def metrics(self, run_id: str) -> list[Any]:
        return list(self._call("Query/ListMetrics", "ListMetricsRequest", run_id=run_id).metrics)

    def workers(self, run_id: str) -> list[Any]:
        return list(self._call("Query/ListWorkers", "ListWorkersRequest", run_id=run_id).workers)

    def _call(self, path: str, request: str, **fields: Any) -> Any:
        return method(self._channel, path)(message(request)(**fields), timeout=self._timeout)
