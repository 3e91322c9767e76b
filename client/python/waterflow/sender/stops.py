"""Looks every few seconds whether runs of this sender are asked to stop: one call for each run,
however many of its ranks are here."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Callable, Iterable

import grpc

from waterflow.api import message, method
from waterflow.sender import clock
from waterflow.sender.delivery import Delivery
from waterflow.sender.log import log
from waterflow.stop_request import STOP_FILE, STOP_TAG

STOP_SECONDS = 10.0
CALL_SECONDS = 10.0


async def watch(
    deliveries: Callable[[], Iterable[Delivery]], channel_of: Callable[[str], Any]
) -> None:
    """For ever."""
    while True:
        await clock.sleep(STOP_SECONDS)
        of_run: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries():
            if delivery.joined_run is not None and delivery.unreachable_since is None:
                of_run.setdefault(delivery.joined_run, []).append(delivery)
        for (server, run_id), of_this in of_run.items():
            await _look(channel_of(server), run_id, of_this)


async def _look(channel: Any, run_id: str, deliveries: list[Delivery]) -> None:
    try:
        request = message("GetRunRequest")(run_id=run_id)
        answer = await method(channel, "Tracking/GetRun")(request, timeout=CALL_SECONDS)
    except (grpc.RpcError, asyncio.TimeoutError):
        return  # the deliveries see to it
    text = answer.run.tags.get(STOP_TAG)
    if text is None:
        return
    for delivery in deliveries:
        path = os.path.join(delivery.folder, STOP_FILE)
        try:
            if not os.path.exists(path):
                log(f"{delivery.folder}: run {run_id} is asked to stop: {text}")
            with open(path + ".new", "w") as file:
                file.write(text)
            os.replace(path + ".new", path)
        except OSError:
            continue  # delivered meanwhile
