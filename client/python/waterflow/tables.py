"""An answer as one table: pandas, polars or pyarrow, whichever the caller has.

A row for each point: run_id, metric, role, rank (none of a reduced answer), step (none where the
point has none), time_ns, value; or for each bucket: position in place of step and time_ns, and
count, mean, min, max.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from waterflow.client import Series

KEYS = ("run_id", "metric", "role", "rank")
POINT_COLUMNS = ("step", "time_ns", "value")
BUCKET_COLUMNS = ("position", "count", "value", "mean", "min", "max")


def columns_of(series: Series) -> dict[str, Any]:
    """The columns by their names in the table; `step` still has 0 where there is none."""
    if len(series.positions):
        return {
            "position": series.positions, "count": series.count, "value": series.values,
            "mean": series.mean, "min": series.min, "max": series.max,
        }  # fmt: skip
    return {"step": series.steps, "time_ns": series.times_ns, "value": series.values}


def _names(answer: Sequence[Series]) -> tuple[str, ...]:
    return BUCKET_COLUMNS if any(len(series.positions) for series in answer) else POINT_COLUMNS


def to_pyarrow(answer: Sequence[Series]) -> Any:
    """pyarrow.Table, a chunk for each series. Values, times and positions are not copied."""
    import pyarrow as pa

    kinds = {name: pa.float64() for name in ("value", "mean", "min", "max")}
    names = _names(answer)
    text = pa.dictionary(pa.int32(), pa.string())
    chunks: dict[str, list[Any]] = {name: [] for name in (*KEYS, *names)}
    for series in answer:
        rows = len(series.values)
        for key in KEYS[:3]:
            index = pa.repeat(pa.scalar(0, pa.int32()), rows)
            one = pa.array([getattr(series, key)], pa.string())
            chunks[key].append(pa.DictionaryArray.from_arrays(index, one))
        chunks["rank"].append(pa.repeat(pa.scalar(series.rank, pa.int64()), rows))
        for name, column in columns_of(series).items():
            missing = None
            if name == "step" and not all(series.has_step):
                missing = [not has for has in series.has_step]
            chunks[name].append(_arrow_array(pa, column, kinds.get(name, pa.int64()), missing))
    types = {**dict.fromkeys(KEYS[:3], text), "rank": pa.int64()}
    return pa.table({
        name: pa.chunked_array(parts, types.get(name, kinds.get(name, pa.int64())))
        for name, parts in chunks.items()
    })  # fmt: skip


def _arrow_array(pa: Any, column: Any, kind: Any, missing: Any) -> Any:
    if missing is not None:
        rows = [None if gone else int(value) for value, gone in zip(column, missing)]
        return pa.array(rows, kind)
    # Of a numpy array and of an array.array alike.
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(memoryview(column))])


def to_polars(answer: Sequence[Series]) -> Any:
    """polars.DataFrame."""
    import polars as pl

    names = _names(answer)
    frames = []
    for series in answer:
        columns = {
            name: pl.Series(name, column, pl.Float64 if name in _FLOATS else pl.Int64)
            for name, column in columns_of(series).items()
        }
        frame = pl.DataFrame(columns)
        if "step" in columns and not all(series.has_step):
            has_step = pl.Series(list(map(bool, series.has_step)))
            frame = frame.with_columns(pl.when(has_step).then(pl.col("step")).alias("step"))
        keys = [pl.lit(getattr(series, key), pl.String).alias(key) for key in KEYS[:3]]
        rank = pl.lit(series.rank, pl.Int64).alias("rank")
        frames.append(frame.select(*keys, rank, *names))
    if frames:
        return pl.concat(frames)
    kinds: dict[str, Any] = {**dict.fromkeys(KEYS[:3], pl.String), "rank": pl.Int64}
    return pl.DataFrame(
        schema={**kinds, **{n: pl.Float64 if n in _FLOATS else pl.Int64 for n in names}}
    )


_FLOATS = ("value", "mean", "min", "max")


def to_pandas(answer: Sequence[Series]) -> Any:
    """pandas.DataFrame. Names are categories; step is Int64 where some have none."""
    import pandas as pd

    names = _names(answer)
    frames = []
    for series in answer:
        columns = {name: pd.Series(column) for name, column in columns_of(series).items()}
        if "step" in columns and not all(series.has_step):
            has_step = pd.Series(list(map(bool, series.has_step)))
            columns["step"] = columns["step"].astype("Int64").where(has_step)
        keys = {key: getattr(series, key) for key in KEYS[:3]}
        frame = pd.DataFrame({**keys, "rank": series.rank, **columns})
        frames.append(frame.astype({"rank": "Int64" if series.rank is None else "int64"}))
    if not frames:
        return pd.DataFrame(columns=[*KEYS, *names])
    whole = pd.concat(frames, ignore_index=True)
    return whole.astype(dict.fromkeys(KEYS[:3], "category"))


def write_parquet(path: str, tables: Any) -> int:
    """Tables as row groups of one file, which is there whole or not at all. Returns its rows."""
    import pyarrow.parquet as pq

    rows, temporary, writer = 0, f"{path}.{os.getpid()}.new", None
    try:
        for table in tables:
            if writer is None:
                writer = pq.ParquetWriter(temporary, table.schema, compression="zstd")
            writer.write_table(table)
            rows += table.num_rows
        if writer is not None:
            writer.close()
            os.replace(temporary, path)
    except BaseException:
        if writer is not None:
            writer.close()
            os.unlink(temporary)
        raise
    return rows
