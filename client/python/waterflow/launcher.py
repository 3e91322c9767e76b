"""Who am I: rank, world size and launch of this process, from what launchers leave in the
environment. All ranks of a launch find the same key, and so join one run without a word."""

from __future__ import annotations

import os
from typing import Mapping, NamedTuple, Optional


class Launch(NamedTuple):
    rank: int = 0
    world_size: int = 0  # 0: unknown
    key: Optional[str] = None  # what all ranks of this launch have in common; None: one process
    attempt: int = 0  # restart count plus one; 0: the launcher does not count
    device: Optional[str] = None  # what is local to the host, such as a GPU's number
    launcher: str = "none"


# Rank, world size and local rank, the most specific launcher first.
_RANKS = (
    ("waterflow", "WATERFLOW_RANK", "WATERFLOW_WORLD_SIZE", "WATERFLOW_LOCAL_RANK"),
    ("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("mpi", "PMIX_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("mpi", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("jax", "JAX_PROCESS_ID", "JAX_NUM_PROCESSES", "JAX_LOCAL_PROCESS_ID"),
    ("slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    ("kubernetes", "JOB_COMPLETION_INDEX", "JOB_PARALLELISM", ""),
)


def _number(env: Mapping[str, str], name: str) -> Optional[int]:
    text = env.get(name, "")
    return int(text) if text.isdigit() else None


def detect(env: Mapping[str, str] = os.environ) -> Launch:
    for launcher, rank_name, size_name, local_name in _RANKS:
        rank = _number(env, rank_name)
        if rank is None:
            continue
        # An allocation without srun has its variables in one process as well.
        if launcher == "slurm" and "SLURM_STEP_ID" not in env:
            continue
        size = _number(env, size_name) or 0
        return Launch(
            rank=rank,
            world_size=size,
            key=_key(env, launcher),
            attempt=_attempt(env),
            device=env.get(local_name),
            launcher=launcher,
        )
    return Launch(attempt=_attempt(env))


def _key(env: Mapping[str, str], launcher: str) -> Optional[str]:
    if "SLURM_JOB_ID" in env:
        parts = (env.get("SLURM_CLUSTER_NAME", ""), env["SLURM_JOB_ID"], env.get("SLURM_STEP_ID"))
        return "slurm-" + "-".join(part for part in parts if part)
    elastic = env.get("TORCHELASTIC_RUN_ID", "none")
    if elastic != "none":
        return f"torchrun-{elastic}"
    if "RAY_JOB_ID" in env:
        return f"ray-{env['RAY_JOB_ID']}"
    for name in ("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"):
        if name in env:
            return f"mpi-{env[name]}"
    if launcher == "torchrun" or launcher.startswith(("mpi", "openmpi")):
        # One node: the processes have one parent. Over several, the user names the run.
        return f"parent-{os.uname().nodename}-{os.getppid()}-{_started(os.getppid())}"
    return None


def _attempt(env: Mapping[str, str]) -> int:
    for name in ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"):
        restarts = _number(env, name)
        if restarts is not None:
            return restarts + 1
    return 0


def _started(pid: int) -> str:
    """When a process started, so that a pid used again is another key."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return "0"
