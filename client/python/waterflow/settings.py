"""What init() goes by: its arguments, else WATERFLOW_* of the environment, else a default."""

from __future__ import annotations

import os
from typing import Any, Optional

from waterflow import notices

MODES = ("online", "offline", "disabled")
RESUMES = ("auto", "allow", "must", "never")
DEFAULT_SERVER = "127.0.0.1:7070"

# A job's end ends the sender too, and its disk may go with it.
_SHORT_LIVED = ("KUBERNETES_SERVICE_HOST", "SLURM_JOB_ID")
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs")


def choose(name: str, argument: Any, default: Any = None) -> Any:
    """The argument, else WATERFLOW_`name`, else the default."""
    if argument is not None:
        return argument
    return os.environ.get(f"WATERFLOW_{name}") or default


def one_of(field: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{field} is {value!r}, it must be one of {', '.join(allowed)}")
    return value


def checked_text(field: str, value: Optional[Any], most_bytes: int) -> Optional[str]:
    if value is None:
        return None
    text = str(value)
    size = len(text.encode("utf-8", "replace"))
    if not 1 <= size <= most_bytes:
        raise ValueError(f"{field} {text[:40]!r} has {size} bytes, 1 to {most_bytes} are allowed")
    return text


def bytes_of(name: str, argument: Optional[int], default: int) -> int:
    value = choose(name, argument, default)
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number <= 0:
        raise ValueError(f"{name.lower()} is {value!r}, it must be a number of bytes above 0")
    return number


def seconds_of(name: str, argument: Optional[float], default: float) -> float:
    value = choose(name, argument, default)
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:
        raise ValueError(f"{name.lower()} is {value!r}, it must be a number of seconds, 0 or more")
    return number


def max_spool_bytes(root: str, given: Optional[int], used: int) -> int:
    """What the spools of a root may have: 20 GiB, or a fifth of what would be free without the
    `used` bytes that they have, whichever is less."""
    value = choose("MAX_SPOOL_BYTES", given)
    if value is not None:
        return bytes_of("MAX_SPOOL_BYTES", value, 0)
    disk = os.statvfs(root)
    return min(20 << 30, (disk.f_bavail * disk.f_frsize + used) // 5)


def online_root() -> str:
    """Where spools lie unless the user says otherwise: on a local disk, over reboots."""
    root = f"/var/tmp/waterflow-{os.getuid()}"
    try:
        is_ours = os.lstat(root).st_uid == os.getuid() and not os.path.islink(root)
    except FileNotFoundError:
        is_ours = True
    if is_ours:
        return root
    # Anybody may make files in /var/tmp, under our name too.
    mine = f"{root}-{os.urandom(8).hex()}"
    notices.warn_once("root", f"{root} belongs to somebody else: the spool is {mine} instead")
    return mine


def spool_root(argument: Optional[str], mode: str) -> str:
    default = "waterflow-spool" if mode == "offline" else online_root()
    root: str = os.path.abspath(os.fspath(choose("DIR", argument, default)))
    kind = file_system(root)
    if mode == "online" and kind.startswith(_NETWORK_FILE_SYSTEMS):
        local = online_root()
        notices.warn_once(
            "network",
            f"{root} is on a network file system ({kind}), where neither appends nor locks can "
            f"be relied on: the spool is {local} instead",
        )
        return local
    return root


def file_system(path: str) -> str:
    """The kind of file system that a path is or would be on, such as "ext4"; "" if unknown."""
    best, kind = -1, ""
    try:
        with open("/proc/self/mounts") as mounts:
            for line in mounts:
                _, point, this, *_ = line.split(" ")
                point = point.replace("\\040", " ")
                is_below = path == point or path.startswith(point.rstrip("/") + "/")
                if is_below and len(point) >= best:
                    best, kind = len(point), this
    except (OSError, ValueError):
        pass
    return kind


def finish_seconds(argument: Optional[float]) -> float:
    """How long finish() waits for acks at most."""
    is_short_lived = any(name in os.environ for name in _SHORT_LIVED)
    return seconds_of("FINISH_SECONDS", argument, 30.0 if is_short_lived else 5.0)
