"""Starts the sender when none is there. The lock file is all that trainer and sender share: no
pipe, no socket, so a sender that is killed or stopped is not felt."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import sys

from waterflow import notices

LOCK_FILE = "sender.lock"
LOG_FILE = "sender.log"


def is_running(root: str) -> bool:
    try:
        fd = os.open(os.path.join(root, LOCK_FILE), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(fd)


def ensure_sender(root: str) -> bool:
    """Whether there is one, or will be. Never raises. Of several that are started at once, one
    stays."""
    try:
        if is_running(root):
            return True
        missing = [name for name in ("grpc", "google.protobuf") if not _is_there(name)]
        if missing:
            notices.warn_once(
                "no sender",
                f"{' and '.join(missing)} cannot be imported, so nothing is sent yet: rows wait "
                f"in {root} for `waterflow-sender`",
            )
            return False
        _start(root, "waterflow.sender", "--detached")
        return True
    except Exception as error:
        notices.warn_once("no sender", f"the sender does not start ({error}): rows wait in {root}")
        return False


def make_room(root: str) -> None:
    """Where no sender keeps the spools below their size: a process that does it once and ends."""
    try:
        if not is_running(root):
            _start(root, "waterflow.sender.room")
    except Exception as error:
        notices.warn_once("no room", f"nothing bounds the spool {root}: {error}")


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


def _start(root: str, module: str, *options: str) -> None:
    """Not by fork, whose handlers of other libraries (gRPC's among them) might hang. The shell
    ends at once: the sender is nobody's child, in a session of its own, and neither a wait() of
    the trainer nor Ctrl-C meets it."""
    package_folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*path, package_folder])}
    os.makedirs(root, mode=0o700, exist_ok=True)
    shell = ["/bin/sh", "-c", 'cd / && exec "$@" </dev/null >>"$0" 2>&1 &']
    command = [sys.executable or "python3", "-m", module, "--root", root, *options]
    arguments = [*shell, os.path.join(root, LOG_FILE), *command]
    # The shell has nothing to say to the trainer's terminal, such as that the disk is full.
    quiet = [(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)]
    pid = os.posix_spawn(shell[0], arguments, environment, setsid=True, file_actions=quiet)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:  # the trainer lets the kernel reap
        pass
