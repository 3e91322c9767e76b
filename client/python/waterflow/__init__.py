"""Waterflow: log() in microseconds, never blocks, never raises, never loses.

    import waterflow

    run = waterflow.init(project="demo", config={"lr": 0.01})
    for step in range(1000):
        run.log({"train/loss": loss}, step=step)
    run.finish()

The process that trains only appends rows to files; a separate sender delivers them.
docs/python.md is the manual.
"""

from __future__ import annotations

import atexit
import os
import sys
import time as _clock
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from waterflow import facts as _facts
from waterflow import launcher as _launcher
from waterflow import notices as _notices
from waterflow import settings as _settings
from waterflow.trainer_run import DisabledRun, Run

if TYPE_CHECKING:
    from waterflow.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "Run", "alert", "define_metric", "finish", "init", "log", "log_columns"]

run: Optional[Run] = None
"""The run that init() made last, until it is finished."""

_inits: dict[str, int] = {}
_unfinished: list[Run] = []


def init(
    project: Optional[str] = None,
    name: Optional[str] = None,
    config: Any = None,
    tags: Union[Mapping[str, Any], Sequence[str], str, None] = None,
    group: Optional[str] = None,
    id: Optional[str] = None,
    resume: Optional[str] = None,
    rank: Optional[int] = None,
    world_size: Optional[int] = None,
    role: str = "",
    attempt: Optional[int] = None,
    resume_step: Optional[int] = None,
    server: Optional[str] = None,
    dir: Optional[str] = None,
    mode: Optional[str] = None,
    strict: bool = False,
    finish_seconds: Optional[float] = None,
    segment_bytes: Optional[int] = None,
    system_seconds: Optional[float] = None,
    job_type: Optional[str] = None,
    notes: Optional[str] = None,
    **ignored: Any,
) -> Run:
    """Begins a run, or joins the one that the other ranks of this launch have begun.

    Returns at once: no server is asked. Raises ValueError for an argument that makes no sense,
    and for nothing else. docs/python.md describes each argument; those that are None are taken
    from WATERFLOW_PROJECT, _NAME, _TAGS, _RUN_GROUP, _RUN_ID, _RESUME, _RANK, _WORLD_SIZE,
    _SERVER, _DIR, _MODE, _FINISH_SECONDS, _SEGMENT_BYTES, _SYSTEM_SECONDS.
    """
    global run
    choose = _settings.choose
    mode = _settings.one_of("mode", choose("MODE", mode, "online"), _settings.MODES)
    resume = _settings.one_of("resume", choose("RESUME", resume, "auto"), _settings.RESUMES)
    project = _settings.checked_text("project", choose("PROJECT", project, "default"), 256)
    given_id = _settings.checked_text("id", choose("RUN_ID", id), 256)
    launch = _launcher.detect()
    key = given_id
    if given_id is None and launch.key is not None:
        # The second init() of a process is another run, on all ranks alike.
        _inits[launch.key] = _inits.get(launch.key, 0) + 1
        key = launch.key + (f"#{_inits[launch.key]}" if _inits[launch.key] > 1 else "")
    has_ranks = rank is not None or launch.launcher != "none"
    shared = launch.key or (given_id if has_ranks else None)
    if key is None:
        run_id = os.urandom(16).hex()
    elif len(key) == 32 and set(key) <= set("0123456789abcdef"):
        run_id, key = key, None
    else:
        run_id = _digest(f"{project}\0{key}")
    all_tags = _facts.tags_of(choose("TAGS", tags))
    group = choose("RUN_GROUP", group)
    all_tags.update(
        _facts.flat_texts(
            {k: v for k, v in {"group": group, "job_type": job_type, "notes": notes}.items() if v}
        )
    )
    _settings.bytes_of("MAX_SPOOL_BYTES", None, 1)  # the sender's, but a wrong one is said here
    if ignored:
        _notices.warn_once("init", f"init() does not know {', '.join(sorted(ignored))}")
    spec = {
        "server": choose("SERVER", server, _settings.DEFAULT_SERVER),
        "mode": mode,
        "project": project,
        "run_id": run_id,
        "key": key,
        "name": _settings.checked_text("name", choose("NAME", name), 256),
        "params": _facts.flat_texts(config),
        "tags": all_tags,
        "metrics": {},
        "role": role and _settings.checked_text("role", role, 128),
        "rank": _whole("rank", launch.rank if rank is None else rank, 0, 16_777_215),
        "world_size": _whole(
            "world_size", launch.world_size if world_size is None else world_size, 0, 16_777_216
        ),
        "attempt": _whole("attempt", launch.attempt if attempt is None else attempt, 0, 1 << 31),
        "resume": resume,
        "resume_step": resume_step
        if resume_step is None
        else _whole("resume_step", resume_step, -(1 << 63), (1 << 63) - 1),
        "launch": (_digest(shared) if shared else os.urandom(8).hex())[:16],
        "start_ns": _clock.time_ns(),
        "host": os.uname().nodename,
        "device": launch.device,
        "system_seconds": _settings.seconds_of("SYSTEM_SECONDS", system_seconds, 0.0),
        "pid": os.getpid(),
    }
    kind = DisabledRun if mode == "disabled" else Run
    run = kind(
        spec,
        "" if mode == "disabled" else _settings.spool_root(dir, mode),
        strict,
        _settings.finish_seconds(finish_seconds),
        _settings.bytes_of("SEGMENT_BYTES", segment_bytes, 4 << 20),
        config,
    )
    _unfinished[:] = [other for other in _unfinished if not other.is_finished]
    if mode != "disabled":
        _unfinished.append(run)
        run._tell({})  # the spool begins here, so that the run is known before its first row
    if mode == "offline":
        _notices.say(f"offline: run {run.id} is kept in {run.dir}; waterflow-sync delivers it")
    return run


def _digest(text: str) -> str:
    """32 hexadecimal digits that every rank makes of the same text."""
    import hashlib  # here, for it takes 4 MB that a single process need not pay

    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _whole(field: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"{field} is {value!r}, it must be a whole number of {least} to {most}")
    return value


def log(
    data: Mapping[Any, Any],
    step: Optional[int] = None,
    time: Optional[float] = None,
    commit: bool = True,
) -> None:
    """Run.log of the run that init() made last."""
    if run is None:
        _notices.warn_once("no run", "log() before init() is left out")
        return
    run.log(data, step, time, commit)


def log_columns(data: Mapping[Any, Sequence[float]], **more: Any) -> None:
    """Run.log_columns of the run that init() made last."""
    if run is None:
        _notices.warn_once("no run", "log_columns() before init() is left out")
        return
    run.log_columns(data, **more)


def define_metric(name: str, **known: Any) -> None:
    """Run.define_metric of the run that init() made last."""
    if run is not None:
        run.define_metric(name, **known)


def alert(title: str, text: str = "", level: Any = "INFO", **more: Any) -> None:
    """Run.alert of the run that init() made last."""
    if run is not None:
        run.alert(title, text, level, **more)


def finish(status: Union[str, int, None] = None, timeout: Optional[float] = None) -> None:
    """Run.finish of the run that init() made last."""
    global run
    ending, run = run, None
    if ending is not None:
        ending.finish(status, timeout)


def __getattr__(name: str) -> Any:
    if name in ("config", "summary"):
        return getattr(run, name) if run is not None else {}
    if name == "Client":
        from waterflow.client import Client  # here, for it imports gRPC

        return Client
    raise AttributeError(f"module 'waterflow' has no attribute {name!r}")


@atexit.register
def _finish_forgotten() -> None:
    error = getattr(sys, "last_value", None)
    status = "FINISHED"
    if error is not None and not hasattr(sys, "ps1"):  # a shell or notebook goes on after errors
        status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
    for forgotten in _unfinished:
        forgotten.finish(status)
