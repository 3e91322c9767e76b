"""A stand-in for TensorBoard's SummaryWriter that logs scalars to Waterflow:

    from waterflow.tensorboard import SummaryWriter

Scalars go to the run that waterflow.init() made, or to one that the writer makes. What is no
scalar (histograms, images, graphs ...) is left out, with one warning for each method.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable, Optional

import waterflow
from waterflow import notices
from waterflow.trainer_run import Run


class SummaryWriter:
    """`log_dir` names the run that the writer makes; `purge_step` is where it resumes. What else
    init() takes may be given by name."""

    def __init__(
        self,
        log_dir: Optional[str] = None,
        comment: str = "",
        purge_step: Optional[int] = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
        **init: Any,
    ) -> None:
        self.log_dir = os.fspath(log_dir) if log_dir is not None else None
        self._own: Optional[Run] = None
        if waterflow.run is None or waterflow.run.is_finished:
            name = os.path.basename(os.path.normpath(self.log_dir or "")).strip(".") + comment
            if name:
                init.setdefault("name", name)
            self._own = waterflow.init(resume_step=purge_step, **init)
        self._run: Run = waterflow.run  # type: ignore[assignment]

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Optional[int] = None,
        walltime: Optional[float] = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        self._run.log({tag: scalar_value}, step=global_step, time=walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: Optional[int] = None,
        walltime: Optional[float] = None,
    ) -> None:
        self._run.log({main_tag: tag_scalar_dict}, step=global_step, time=walltime)

    def add_hparams(
        self, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any], **_: Any
    ) -> None:
        self._run.config.update(hparam_dict)
        self._run.summary.update(metric_dict)

    def get_logdir(self) -> Optional[str]:
        return self.log_dir

    def flush(self) -> None:
        """Nothing waits here: a row is in the spool when it is logged."""

    def close(self) -> None:
        if self._own is not None:
            self._own.finish()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("add_"):
            raise AttributeError(name)
        notices.warn_once(name, f"SummaryWriter.{name}() is left out: only scalars are kept")
        return lambda *_, **__: None
