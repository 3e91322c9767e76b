"""The time that the sender waits by, in one place, so that a test makes an hour of a second."""

from __future__ import annotations

import asyncio
import time


def now() -> float:
    return time.monotonic()


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)
