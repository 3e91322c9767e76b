"""DuckDB over a Parquet file, for bench/query: makes the file, then asks.

    duckdb_ask.py FOLDER load
    duckdb_ask.py FOLDER ask one|raw|step|buckets METRIC RANK WIDTH SECONDS

`load` takes the columns that lie in FOLDER as files NAME.TYPE (TYPE as numpy
spells it) and writes rows.parquet. `ask` writes what it found to answer.json:
each answer is complete as numpy arrays before its time is taken.
"""

import json
import pathlib
import sys
import time

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

QUESTIONS = {
    "one": "SELECT step, {m} AS value FROM rows WHERE rank = {rank} ORDER BY step",
    "raw": "SELECT rank, step, {m} AS value FROM rows ORDER BY rank, step",
    # As Waterflow's answer, with the workers that had the least and the greatest.
    "step": "SELECT step, avg({m}), min({m}), max({m}) AS value, arg_min(rank, {m}), "
    "arg_max(rank, {m}) FROM rows GROUP BY step ORDER BY step",
    "buckets": "SELECT rank, step // {width}, avg({m}), min({m}), max({m}) AS value "
    "FROM rows GROUP BY ALL ORDER BY ALL",
}
VALUES = {"one": 1, "raw": 1, "step": 3, "buckets": 3}


def load(folder: pathlib.Path) -> None:
    columns = {}
    for file in sorted(folder.glob("*.[if][48]")):
        columns[file.stem] = np.fromfile(file, dtype=file.suffix[1:])
        file.unlink()
    pq.write_table(pa.table(columns), folder / "rows.parquet", compression="zstd")


def ask(folder: pathlib.Path, kind: str, metric: str, rank: str, width: str, seconds: str) -> None:
    db = duckdb.connect()
    db.execute("SET threads = 1")
    # Parsed footers and the file's pages stay where they are.
    db.execute("SET parquet_metadata_cache = true")
    db.execute(f"CREATE VIEW rows AS SELECT * FROM '{folder}/rows.parquet'")
    query = QUESTIONS[kind].format(m=metric, rank=rank, width=width)
    for _ in range(3):
        answer = db.execute(query).fetchnumpy()
    times = []
    end = time.perf_counter() + float(seconds)
    cpu = time.process_time()
    while time.perf_counter() < end or len(times) < 5:
        begin = time.perf_counter()
        db.execute(query).fetchnumpy()
        times.append(time.perf_counter() - begin)
    cpu = time.process_time() - cpu
    found = {
        "numbers": VALUES[kind] * len(answer["value"]),
        "max": float(np.max(answer["value"])),
        "calls": len(times),
        "p50_ms": float(np.percentile(times, 50)) * 1e3,
        "p99_ms": float(np.percentile(times, 99)) * 1e3,
        "cpu_ms": cpu / len(times) * 1e3,
    }
    (folder / "answer.json").write_text(json.dumps(found))


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    if sys.argv[2] == "load":
        load(folder)
    else:
        ask(folder, *sys.argv[3:])
