"""The sender of one spool root: finds spools and delivers all of them at once."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Optional

import grpc.aio

from waterflow.api import CHANNEL_OPTIONS
from waterflow.sender import clock, stops
from waterflow.sender.delivery import Delivery
from waterflow.sender.log import log
from waterflow.sender.notes import REFUSED_FILE
from waterflow.sender.room import Room, spool_folders
from waterflow.sender.system import System

SCAN_SECONDS = 0.1
ROOM_SECONDS = 5.0
SAMPLE_SECONDS = 0.5  # how soon one that is due is taken
TROUBLE_SECONDS = 60.0  # until what failed is tried again, so that the log does not fill
UNREACHABLE_SECONDS = 3600.0  # then, if no trainer is left, the next one may start a sender


class Channels:
    def __init__(self) -> None:
        self._channels: dict[str, Any] = {}

    def of(self, server: str) -> Any:
        if server not in self._channels:
            self._channels[server] = grpc.aio.insecure_channel(server, options=CHANNEL_OPTIONS)
        return self._channels[server]

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


class Service:
    def __init__(self, root: str, max_spool_bytes: Optional[int], idle_seconds: float) -> None:
        self._root = root
        self._room = Room(root, max_spool_bytes)
        self._idle_seconds = idle_seconds
        self._channels = Channels()
        self._tasks: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        self._not_ours: set[str] = set()  # offline spools, for waterflow-sync
        self._busy_at = clock.now()

    async def run(self) -> None:
        """Returns when there was nothing to do for a while."""
        others = [
            asyncio.ensure_future(self._make_room()),
            asyncio.ensure_future(self._sample_system()),
            asyncio.ensure_future(stops.watch(self._deliveries, self._channels.of)),
        ]
        try:
            while True:
                self._scan()
                now = clock.now()
                if any(self._is_hopeful(delivery) for delivery, _ in self._tasks.values()):
                    self._busy_at = now
                elif now - self._busy_at > self._idle_seconds:
                    return
                await clock.sleep(SCAN_SECONDS)
        finally:
            for task in [*others, *(task for _, task in self._tasks.values())]:
                task.cancel()
            await self._channels.close()

    def _scan(self) -> None:
        for folder, (delivery, task) in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[folder]
            if delivery.is_offline:
                self._not_ours.add(folder)
            elif task.exception() is not None:
                log(f"{folder}: {task.exception()!r}")
        for folder in spool_folders(self._root):
            is_refused = os.path.exists(os.path.join(folder, REFUSED_FILE))
            if folder in self._tasks or folder in self._not_ours or is_refused:
                continue
            delivery = Delivery(folder, self._channels.of)
            self._tasks[folder] = (delivery, asyncio.ensure_future(delivery.run()))

    def _deliveries(self) -> list[Delivery]:
        return [delivery for delivery, _ in self._tasks.values()]

    async def _sample_system(self) -> None:
        system = System(self._root)
        try:
            while True:
                try:
                    system.step(self._deliveries())
                except Exception as error:
                    log(f"{self._root}: system metrics: {error!r}")
                    await clock.sleep(TROUBLE_SECONDS)
                await clock.sleep(SAMPLE_SECONDS)
        finally:
            system.end()

    async def _make_room(self) -> None:
        """Next to the deliveries, which go on between two segments."""
        while True:
            try:
                for _ in self._room.steps():
                    await asyncio.sleep(0)
            except Exception as error:
                log(f"{self._root}: making room: {error!r}")
                await clock.sleep(TROUBLE_SECONDS)
            await clock.sleep(ROOM_SECONDS)

    @staticmethod
    def _is_hopeful(delivery: Delivery) -> bool:
        since = delivery.unreachable_since
        return since is None or clock.now() - since < UNREACHABLE_SECONDS or delivery.has_writer()
