"""Makes the run that a spool belongs to, or finds the one that other ranks have made."""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc

from waterflow.api import enum, message, method

# A field that the server does not take; the id of a run that was deleted.
NEVER = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
ENDED = ("FINISHED", "FAILED", "KILLED")


class Refused(Exception):
    """The spool can never be delivered as it is."""


class Joined(NamedTuple):
    run_id: str
    attempt: int
    has_ended: bool  # it was finished when this process joined it


async def join(channel: Any, spec: dict[str, Any]) -> Joined:
    if spec["resume"] == "must":
        await _get(channel, spec["run_id"], "resume is 'must'")
    launch = f"waterflow.launch.{spec['launch']}"
    first_attempt = spec["attempt"] or 1
    try:
        answer = await method(channel, "Tracking/CreateRun")(
            message("CreateRunRequest")(
                project=spec["project"],
                name=spec["name"] or "",
                run_id=spec["run_id"],
                key=spec["key"] or "",
                params={**spec["params"], launch: str(first_attempt)},
                tags=spec["tags"],
                start_ns=spec["start_ns"],
            )
        )
        run, created = answer.run, answer.created
    except grpc.RpcError as error:
        if error.code() in NEVER:
            raise Refused(error.details()) from None
        if error.code() != grpc.StatusCode.ALREADY_EXISTS:
            raise
        run, created = await _get(channel, spec["run_id"], "its id is taken"), False
    if created:
        return Joined(run.id, first_attempt, False)
    if spec["resume"] == "never" and launch not in run.params:
        raise Refused(f"run {run.id} exists already, and resume is 'never'")
    statuses = {number: name for name, number in enum("RunStatus").items()}
    has_ended = statuses.get(run.status, "").rpartition("_")[2] in ENDED
    return Joined(run.id, await _attempt(channel, spec, run, launch), has_ended)


async def _attempt(channel: Any, spec: dict[str, Any], run: Any, launch: str) -> int:
    """Who resumes a run begins a new attempt, all of its ranks the same: a param keeps its first
    value, so the first rank to set it decides."""
    if spec["attempt"]:
        return int(spec["attempt"])
    if spec["resume"] not in ("allow", "must"):
        return 1
    if launch not in run.params:
        request = message("UpdateRunRequest")(
            run_id=run.id, set_params={launch: str(max(run.attempt, 1) + 1)}
        )
        try:
            run = (await method(channel, "Tracking/UpdateRun")(request)).run
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
                raise
            run = await _get(channel, run.id, "it was there")
    return int(run.params[launch])


async def _get(channel: Any, run_id: str, why: str) -> Any:
    try:
        request = message("GetRunRequest")(run_id=run_id)
        return (await method(channel, "Tracking/GetRun")(request)).run
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            raise Refused(f"there is no run {run_id}, but {why}") from None
        raise
