"""From what a user passes to what a row holds: names, numbers, steps, times.

The usual row (text names, values that struct takes as float64) never comes here; SpoolWriter
packs it as it is. This is for the others, value by value: what cannot be a number is left out
alone, with one warning for each name. In strict mode it is a ValueError instead.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Callable, Optional

from waterflow import notices

MAX_NAME_BYTES = 512  # docs/limits.md, as the server has it
MAX_ROW_METRICS = 16_384
INT64 = range(-(1 << 63), 1 << 63)


class Refused(ValueError):
    """A name, value, step or time that cannot be logged; says what, and what is allowed."""


def refuse(strict: bool, matter: str, text: str) -> None:
    if strict:
        raise Refused(text)
    notices.warn_once(matter, text)


def number(value: Any) -> float:
    """A float64 of a number, a scalar or an array of one element; else Refused."""
    try:
        if isinstance(value, (str, bytes, type(None))):
            raise TypeError
        if hasattr(value, "item"):  # numpy, torch, jax, tensorflow; more than one: ValueError
            value = value.item()
        return struct.unpack("<d", struct.pack("<d", value))[0]  # type: ignore[no-any-return]
    except Exception:
        text = repr(value)
        raise Refused(
            f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__}) is not "
            "one number"
        ) from None


def flat_row(
    data: Mapping[Any, Any], strict: bool, number_of: Callable[[Any], Any] = number
) -> dict[str, Any]:
    """Names and numbers of all that can be logged, {"a": {"b": 1}} as "a/b"."""
    row: dict[str, Any] = {}
    _flatten(data, "", strict, number_of, row)
    return row


def _flatten(
    data: Mapping[Any, Any], prefix: str, strict: bool, number_of: Callable[[Any], Any],
    row: dict[str, Any],
) -> None:  # fmt: skip
    for key, value in data.items():
        name = prefix + (key if isinstance(key, str) else str(key))
        if isinstance(value, Mapping):
            _flatten(value, name + "/", strict, number_of, row)
            continue
        fault = name_fault(name)
        if fault:
            refuse(strict, f"name {name[:100]!r}", f"metric {name[:100]!r} is left out: {fault}")
            continue
        try:
            row[name] = number_of(value)
        except Refused as error:
            refuse(strict, f"value of {name}", f"metric {name!r} is left out: {error}")


def name_fault(name: str) -> Optional[str]:
    """What is wrong with the name of a metric, or None."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "its name is no UTF-8"
    if not 1 <= size <= MAX_NAME_BYTES:
        return f"its name has {size} bytes, 1 to {MAX_NAME_BYTES} are allowed"
    if any(c < " " or c == "\x7f" for c in name):
        return "its name has control characters"
    return None


def whole_step(step: Any, strict: bool) -> Optional[int]:
    """The step as int64. What is no whole number is left out alone: the row has no step."""
    try:
        as_item = step.item() if hasattr(step, "item") else step
        whole = int(as_item)
        if whole == as_item and whole in INT64:
            return whole
    except Exception:
        pass
    refuse(strict, "step", f"step {step!r} is left out, its row kept: not a whole number of int64")
    return None


def unix_ns(time: Any, strict: bool) -> Optional[int]:
    """Seconds since 1970, or a datetime, in nanoseconds."""
    try:
        seconds = time.timestamp() if hasattr(time, "timestamp") else time
        whole = int(seconds)
        nanoseconds: int = whole * 1_000_000_000 + round((seconds - whole) * 1e9)
        if nanoseconds in INT64:
            return nanoseconds
    except Exception:
        pass
    refuse(strict, "time", f"time {time!r} is left out: not seconds since 1970, nor a datetime")
    return None
