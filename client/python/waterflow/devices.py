"""Numbers that a device has not computed yet. Who asks for one waits for the device; so log() keeps
the row in memory until the next call, when the number is usually there.

What is kept is a copy that the device makes when it gets there, for the caller may change the
tensor in place, or donate its buffer to the next step.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Optional

from waterflow import values

PLAIN = frozenset((bool, float, int))
MOST_LATER = 16  # of a row; more copies would take longer than they spare


class Later:
    """A number that is asked for later."""

    __slots__ = ("_copy",)

    def __init__(self, copy: Any) -> None:
        self._copy = copy

    def number(self) -> float:
        """Waits for the device if need be."""
        return values.number(self._copy)


def number_of(value: Any) -> float:
    """Of a float or a Later."""
    return value.number() if type(value) is Later else values.number(value)


def are_possible() -> bool:
    """Whether values might be on a device: then log() looks at their types."""
    torch = sys.modules.get("torch")
    try:
        has_cuda = torch is not None and torch.cuda.is_initialized()
    except AttributeError:  # a torch that is being imported
        has_cuda = False
    return has_cuda or "jax" in sys.modules


def number_taker() -> Callable[[Any], Any]:
    """For the values of one row: a Later of what is still to be computed, else the number."""
    left = MOST_LATER

    def number(value: Any) -> Any:
        nonlocal left
        later = _later(value) if left else None
        if later is None:
            return values.number(value)
        left -= 1
        return later

    return number


def _later(value: Any) -> Optional[Later]:
    if type(value) in PLAIN or not hasattr(value, "device"):
        return None
    try:
        if hasattr(value, "is_ready"):  # jax.Array
            if value.size == 1 and not value.is_ready():
                return Later(value.copy())
        elif value.device.type not in ("cpu", "meta") and value.numel() == 1:  # torch.Tensor
            return Later(value.detach().clone())
    except Exception:  # another library's idea of a device
        pass
    return None
