"""waterflow-sender: delivers what trainers of this machine leave in their spools.

Trainers start it by themselves. As a service or sidecar it runs with --idle-seconds 0, for
ever. Of several on one folder, one works and the others end at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import Optional, Sequence

from waterflow import settings
from waterflow.sender.lock import lock


def _close_inherited() -> None:
    """What the trainer has open without close-on-exec, such as its launcher's sockets, must not
    stay open for as long as the sender lives."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:  # that of the listing itself
                pass


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="waterflow-sender", description=__doc__)
    parser.add_argument(
        "--root", default=None, help="the folder of the spools (WATERFLOW_DIR, else a local one)"
    )
    parser.add_argument(
        "--max-spool-bytes", type=int, default=None,
        help="above it the oldest rows are thinned (WATERFLOW_MAX_SPOOL_BYTES, else 20 GiB or a "
        "fifth of the free disk, whichever is less)",
    )  # fmt: skip
    parser.add_argument(
        "--idle-seconds", type=float, default=30.0, help="ends after so long without work; 0: never"
    )
    parser.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.detached:
        _close_inherited()
    root = settings.spool_root(options.root, "online")
    if lock(root) is None:
        return 0

    from waterflow.sender.log import log
    from waterflow.sender.service import Service  # here, for it imports gRPC

    service = Service(root, options.max_spool_bytes, options.idle_seconds or float("inf"))
    log(f"sender {os.getpid()} of {root}")
    try:
        asyncio.run(service.run())
    except KeyboardInterrupt:
        pass
    log(f"sender {os.getpid()} ends")
    return 0
