"""NVIDIA's GPUs, by the driver's own library where it is there, without a package for it."""

from __future__ import annotations

import ctypes
from typing import Any, Optional

LIBRARY = "libnvidia-ml.so.1"
UNITS = {
    "utilization": "%",
    "memory": "bytes",
    "memory_share": "%",
    "temperature": "C",
    "power": "W",
}


class _Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class Gpus:
    """`units`: by names such as system/gpu0/utilization; empty where there are none."""

    def __init__(self) -> None:
        self.units: dict[str, str] = {}
        self._devices: list[ctypes.c_void_p] = []
        self._library: Optional[Any] = None
        try:
            self._library = ctypes.CDLL(LIBRARY)
            count = ctypes.c_uint()
            if self._library.nvmlInit_v2() or self._ask("nvmlDeviceGetCount_v2", count):
                return
        except (OSError, AttributeError):
            return
        for index in range(count.value):
            device = ctypes.c_void_p()
            if not self._library.nvmlDeviceGetHandleByIndex_v2(
                ctypes.c_uint(index), ctypes.byref(device)
            ):
                self._devices.append(device)
                self.units.update({f"system/gpu{index}/{k}": unit for k, unit in UNITS.items()})

    def values(self) -> list[float]:
        """In the order of `units`; NaN for what a device does not tell."""
        values: list[float] = []
        nan = float("nan")
        for device in self._devices:
            use, memory = _Utilization(), _Memory()
            celsius, milliwatts = ctypes.c_uint(), ctypes.c_uint()
            no_use = self._ask("nvmlDeviceGetUtilizationRates", device, use)
            no_memory = self._ask("nvmlDeviceGetMemoryInfo", device, memory)
            no_celsius = self._ask("nvmlDeviceGetTemperature", device, ctypes.c_int(0), celsius)
            no_watts = self._ask("nvmlDeviceGetPowerUsage", device, milliwatts)
            values += [
                nan if no_use else use.gpu,
                nan if no_memory else memory.used,
                nan if no_memory or not memory.total else 100 * memory.used / memory.total,
                nan if no_celsius else celsius.value,
                nan if no_watts else milliwatts.value / 1000,
            ]
        return values

    def _ask(self, function: str, *arguments: Any) -> int:
        """The last argument is where the answer goes. 0: it is there."""
        *given, answer = arguments
        status: int = getattr(self._library, function)(*given, ctypes.byref(answer))
        return status
