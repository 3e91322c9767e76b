"""Hugging Face's Trainer:

    from waterflow.integrations.huggingface import WaterflowCallback

    Trainer(..., callbacks=[WaterflowCallback(project="demo")])

What the Trainer logs is the same on all processes, so that of the first one is kept: the
metrics of evaluations as eval/..., all others as train/....
"""

from __future__ import annotations

from typing import Any, Optional

from transformers import TrainerCallback

from waterflow.integrations import RunOf
from waterflow.trainer_run import Run


class WaterflowCallback(TrainerCallback):
    """The arguments of the training become the run's config."""

    def __init__(self, run: Optional[Run] = None, **init: Any) -> None:
        self._run = RunOf(run, init)

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.is_world_process_zero:
            settings = {key: value for key, value in args.to_dict().items() if value is not None}
            self._run.get().config.update(settings)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: Optional[dict[str, Any]] = None,
        **more: Any,
    ) -> None:  # fmt: skip
        if state.is_world_process_zero and logs:
            numbers = {k: v for k, v in logs.items() if isinstance(v, (int, float))}
            self._run.get().log({_name(k): v for k, v in numbers.items()}, step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.is_world_process_zero:
            self._run.finish()


def _name(key: str) -> str:
    for prefix in ("eval_", "test_"):
        if key.startswith(prefix):
            return f"{prefix[:-1]}/{key[len(prefix) :]}"
    return f"train/{key}"
