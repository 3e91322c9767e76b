"""waterflow-sync DIR: delivers the spools in a folder, those of offline runs too.

The folder may have been copied from another machine. What is delivered is deleted from it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Optional, Sequence

from waterflow.sender.lock import lock


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="waterflow-sync", description=__doc__)
    parser.add_argument("dir", help="the folder of the spools, as init() says it")
    parser.add_argument("--server", default=None, help="instead of the server that they name")
    parser.add_argument(
        "--timeout", type=float, default=None, help="seconds, for all; absent, as long as it takes"
    )
    options = parser.parse_args(arguments)
    if not os.path.isdir(options.dir):
        print(f"waterflow-sync: there is no folder {options.dir}", file=sys.stderr)
        return 2
    if lock(options.dir) is None:
        print(f"waterflow-sync: a sender is at work in {options.dir}", file=sys.stderr)
        return 1
    server = options.server or os.environ.get("WATERFLOW_SERVER")
    left = asyncio.run(_deliver(options.dir, server, options.timeout))
    for folder in left:
        print(f"waterflow-sync: not delivered: {folder}", file=sys.stderr)
    return 1 if left else 0


async def _deliver(root: str, server: Optional[str], timeout: Optional[float]) -> list[str]:
    from waterflow.sender.delivery import Delivery
    from waterflow.sender.notes import REFUSED_FILE
    from waterflow.sender.room import spool_folders
    from waterflow.sender.service import Channels

    channels = Channels()
    deliveries = []
    for folder in spool_folders(root):
        refused = os.path.join(folder, REFUSED_FILE)
        if os.path.exists(refused):
            os.unlink(refused)  # asked for again
        deliveries.append(Delivery(folder, channels.of, server, True, True))
    tasks = [asyncio.ensure_future(delivery.run()) for delivery in deliveries]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=timeout)
        for task in late:
            task.cancel()
    await channels.close()
    return [delivery.folder for delivery in deliveries if not delivery.is_delivered]
