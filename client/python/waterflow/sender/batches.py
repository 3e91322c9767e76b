"""From rows of one lane, as the spool has them, to a Batch: column by column."""

from __future__ import annotations

from array import array
from typing import Any, Optional

from waterflow.api import message
from waterflow.spool_reader import Row

BATCH_BYTES = 256 << 10
BATCH_ROWS = 4096
FLOAT64 = 1


class LaneRows:
    """Consecutive rows of one lane that wait to be sent."""

    def __init__(self, schema: int, first_row: int) -> None:
        self.schema = schema
        self.first_row = first_row
        self.rows = 0
        self._steps = array("q")
        self._times = array("q")
        self._values = bytearray()
        self._sparse: list[tuple[tuple[int, ...], bytes]] = []
        self._kind: Optional[tuple[bool, bool]] = None

    @property
    def end_row(self) -> int:
        return self.first_row + self.rows

    def takes(self, row: Row) -> bool:
        """A batch has steps in all its rows or in none, and is small enough to be on its way
        while the next one is made."""
        if self.rows == 0:
            return True
        is_full = self.rows >= BATCH_ROWS or len(self._values) >= BATCH_BYTES
        return not is_full and self._kind == (row.step is not None, row.metrics is not None)

    def add(self, row: Row) -> None:
        self._kind = (row.step is not None, row.metrics is not None)
        self.rows += 1
        if row.step is not None:
            self._steps.append(row.step)
        self._times.append(row.time_ns)
        self._values += row.values
        if row.metrics is not None:
            self._sparse.append((row.metrics, row.values))

    def batch(self) -> Any:
        columns = self._sparse_columns() if self._sparse else [self._dense_column()]
        return message("Batch")(
            schema_id=self.schema,
            first_row=self.first_row,
            rows=self.rows,
            steps=self._steps.tobytes(),
            times=self._times.tobytes(),
            columns=columns,
        )

    def _dense_column(self) -> Any:
        by_row = array("d")
        by_row.frombytes(bytes(self._values))
        span = len(by_row) // self.rows
        if self.rows > 1 and span > 1:
            by_column = array("d")
            for metric in range(span):
                by_column += by_row[metric::span]
            by_row = by_column
        return message("Column")(metric=0, span=span, type=FLOAT64, values=by_row.tobytes())

    def _sparse_columns(self) -> list[Any]:
        bitmaps: dict[int, bytearray] = {}
        values: dict[int, bytearray] = {}
        for row, (metrics, packed) in enumerate(self._sparse):
            for place, metric in enumerate(metrics):
                bitmap = bitmaps.setdefault(metric, bytearray((self.rows + 7) // 8))
                bitmap[row // 8] |= 1 << row % 8
                values.setdefault(metric, bytearray()).extend(packed[8 * place : 8 * place + 8])
        return [
            message("Column")(
                metric=metric,
                type=FLOAT64,
                values=bytes(values[metric]),
                present=bytes(bitmaps[metric]),
            )
            for metric in sorted(values)
        ]
