"""Ray Train: every worker logs to one run, each as its rank.

from waterflow.integrations.ray import init

def train_loop(config):
    run = init(project="demo", config=config)
    ...
    run.finish()
"""

from __future__ import annotations

from typing import Any

import ray.train
from ray import get_runtime_context

import waterflow
from waterflow.trainer_run import Run


def init(**arguments: Any) -> Run:
    """waterflow.init() with rank, world size and run of the worker that it is called in. A
    second training of the same name in the same Ray job goes on in the same run."""
    context = ray.train.get_context()
    job = get_runtime_context().get_job_id()
    name = context.get_experiment_name()
    arguments.setdefault("rank", context.get_world_rank())
    arguments.setdefault("world_size", context.get_world_size())
    arguments.setdefault("id", f"ray-{job}-{name}")
    arguments.setdefault("name", name)
    return waterflow.init(**arguments)
