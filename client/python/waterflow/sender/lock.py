"""The lock of a spool root: who holds it is the only one that sends, thins and deletes there."""

from __future__ import annotations

import fcntl
import os
from typing import Optional

from waterflow.sender_start import LOCK_FILE


def lock(root: str) -> Optional[int]:
    """Makes this process the sender of the folder; None if there is one. The kernel releases
    it, however the process ends."""
    os.makedirs(root, mode=0o700, exist_ok=True)
    fd = os.open(os.path.join(root, LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    os.truncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd
